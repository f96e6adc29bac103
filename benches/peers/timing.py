"""Checking that all say the same, timing them alternately, and what a first question costs."""

import statistics
import sys

from answers import differences
from peer import Failed, Timeout

# How often a question is asked in a system's turn: once after the pause that the others' turns made, and
# then at once again. ClickBench calls the second and third run of a query its hot ones, and we do.
ASKS = 3


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
                self._turns(question, [who], self.systems, 1)
            say(f"checked {question.name}")
        return self.different

    def rounds(self, count):
        """Seconds of each question by system, of the first asking of a turn and of those that follow at
        once: every round asks all questions of all systems."""
        first = {(q.name, system.name): [] for q in self.questions for system in self.systems}
        warm = {key: [] for key in first}
        for number in range(count):
            # Who is first changes from round to round.
            turn = number % len(self.systems)
            order = self.systems[turn:] + self.systems[:turn]
            for question in self.questions:
                all_whos = self._asked_for(question)
                each = max(1, -(-len(all_whos) // count))
                whos = all_whos[number * each:(number + 1) * each] or all_whos[:each]
                asks = 1 if question.fresh else ASKS
                for system, answers in self._turns(question, whos, order, asks).items():
                    took = [statistics.median(answer["seconds"] for answer in asking) for asking in answers]
                    first[question.name, system].append(took[0])
                    # Whoever is new is so only once.
                    warm[question.name, system].append(statistics.median(took[1:] or took))
            say(f"round {number + 1} of {count}")
        return warm, first

    def _asked_for(self, question):
        """The customers of a question: those who were asked for before, or those who were not."""
        half = len(self.customers) // 2
        if not question.of_customer:
            return [None]
        return self.customers[half:] if question.fresh else self.customers[:half]

    def _turns(self, question, whos, order, asks):
        """One turn of each system, by name: a list an asking, of answers about each of `whos`."""
        turns = {}
        for system in order:
            answers = self._turn(question, whos, system, asks)
            if answers:
                turns[system.name] = answers
        for asking in range(asks):
            for place, who in enumerate(whos):
                self._compare(question, who, {name: answers[asking][place] for name, answers in turns.items()})
        return turns

    def _turn(self, question, whos, system, asks):
        """What a system answers when it is asked about all of `whos`, `asks` times; nothing where it is
        late or fails."""
        if (question.name, system.name) in self.late:
            return None
        text = question.text(system.name, self.skew)
        ask = self.peers[system.name].ask
        try:
            return [[ask(text, params_of(who), self.timeout) for who in whos] for _ in range(asks)]
        except Timeout:
            self.late[question.name, system.name] = f"> {self.timeout:g} s"
            say(f"{system.title} takes more than {self.timeout:g} s for {question.name}")
        except Failed as failure:
            self.late[question.name, system.name] = "fails"
            say(f"{system.title} fails at {question.name}: {failure}")
        return None

    def _compare(self, question, who, answers):
        found = differences(answers) if len(answers) > 1 else ""
        if found:
            self.different.append(f"{question.title}{f' ({who})' if who else ''}\n{found}")

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
