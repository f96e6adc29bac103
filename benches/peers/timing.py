"""Checking that all say the same, timing them alternately, and what a first question costs."""

import statistics
import sys

from answers import differences
from peer import Failed, Timeout


class Session:
    """The systems that are asked, with what came of it."""

    def __init__(self, systems, questions, customers, timeout, skew):
        self.systems = systems
        self.skew = skew
        self.questions = questions
        self.customers = customers
        self.timeout = timeout
        self.peers = {system.name: system.peer() for system in systems}
        # What is said of (question, system) that took too long or failed, and is not asked again.
        self.late = {}
        self.different = []

    def check(self):
        """Asks each question once, which also warms what can be warmed."""
        for question in self.questions:
            if question.fresh:
                continue
            for who in self._asked_for(question):
                self._ask_all(question, who, self.systems)
            say(f"checked {question.name}")
        return self.different

    def rounds(self, count):
        """Seconds of each question by system: every round asks all of them of all systems."""
        seconds = {(q.name, system.name): [] for q in self.questions for system in self.systems}
        for number in range(count):
            # Who is first changes from round to round.
            turn = number % len(self.systems)
            order = self.systems[turn:] + self.systems[:turn]
            for question in self.questions:
                all_whos = self._asked_for(question)
                each = max(1, -(-len(all_whos) // count))
                whos = all_whos[number * each:(number + 1) * each] or all_whos[:each]
                answers = [self._ask_all(question, who, order) for who in whos]
                for system in self.systems:
                    took = [answer[system.name]["seconds"] for answer in answers if system.name in answer]
                    if took:
                        seconds[question.name, system.name].append(statistics.median(took))
            say(f"round {number + 1} of {count}")
        return seconds

    def _asked_for(self, question):
        """The customers of a question: those who were asked for before, or those who were not."""
        half = len(self.customers) // 2
        if not question.of_customer:
            return [None]
        return self.customers[half:] if question.fresh else self.customers[:half]

    def _ask_all(self, question, who, order):
        answers = {}
        for system in order:
            if (question.name, system.name) in self.late:
                continue
            try:
                text = question.text(system.name, self.skew)
                answers[system.name] = self.peers[system.name].ask(text, params_of(who), self.timeout)
            except Timeout:
                self.late[question.name, system.name] = f"> {self.timeout:g} s"
                say(f"{system.title} takes more than {self.timeout:g} s for {question.name}")
            except Failed as failure:
                self.late[question.name, system.name] = "fails"
                say(f"{system.title} fails at {question.name}: {failure}")
        found = differences(answers) if len(answers) > 1 else ""
        if found:
            self.different.append(f"{question.title}{f' ({who})' if who else ''}\n{found}")
        return answers

    def close(self):
        """Ends the systems: versions, peak memory and memory before anything was opened, by system."""
        found = {}
        for name, peer in self.peers.items():
            peer.close()
            found[name] = {"version": peer.version, "peak_bytes": peer.peak_bytes, "loaded_bytes": peer.loaded_bytes}
        return found


def cold(session, count):
    """Seconds of the first question of a new process, `count` times: from before the database is
    opened, and from the start of the process."""
    questions = [question for question in session.questions if not question.fresh]
    opened = {(q.name, system.name): [] for q in questions for system in session.systems}
    started = {key: [] for key in opened}
    for question in questions:
        for number in range(count):
            who = session.customers[number % len(session.customers)] if question.of_customer else None
            for system in session.systems:
                if (question.name, system.name) in session.late:
                    continue
                peer = system.peer()
                answer = peer.ask(question.text(system.name, session.skew), params_of(who), session.timeout)
                peer.close()
                opened[question.name, system.name].append(answer["open_seconds"] + answer["seconds"])
                started[question.name, system.name].append(answer["started_seconds"])
        say(f"cold {question.name}")
    return opened, started


def params_of(who):
    """The parameters of a question about one customer."""
    return {"who": who} if who else {}


def say(words):
    """Progress, on standard error."""
    print(words, file=sys.stderr, flush=True)
