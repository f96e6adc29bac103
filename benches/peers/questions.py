"""The questions, and how much faster than the better peer each should be answered."""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Time of a kernel, by interaction and core, at most.
NANOSECONDS_MAX = 6.0


@dataclass(frozen=True)
class Question:
    """A question in three languages: `throughline/NAME.tl`, `duckdb/NAME.sql`, `clickhouse/NAME.sql`."""

    name: str
    title: str
    floor: float | None = None
    goal: float | None = None
    # Whether it reads every interaction, so that a time an interaction means something.
    whole: bool = True
    # Whether it is asked of one customer, `who`.
    of_customer: bool = False
    # Whether nobody is asked for twice.
    fresh: bool = False
    # The question whose text it has, where that is another's.
    text_of: str | None = None

    def text(self, system, skew=None):
        """The query in the language of a system, without its comments; where there is one, that written for
        histories skewed in this way."""
        ending = "tl" if system == "throughline" else "sql"
        return without_comments(of_skew(HERE / system / f"{self.text_of or self.name}.{ending}", skew).read_text(encoding="utf-8"))


def of_skew(path, skew):
    """`NAME.SKEW.sql` beside `NAME.sql`, where it is there."""
    special = path.with_suffix(f".{skew}{path.suffix}")
    return special if skew and special.exists() else path


def without_comments(text):
    """The text without lines of comment."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--")).strip()


QUESTIONS = [
    Question("funnel", "funnel: six stages within 90 days", 15, 40),
    Question("chains", "chains: repeat contacts by topic", 10, 25),
    Question("pattern", "pattern: three steps with bounds", 6, 20),
    Question("map", "map: stage by channel", 6, 12),
    Question("map_all", "map, all columns"),
    Question("count", "selective count: a rare topic", 5, 10, whole=False),
    Question("journey", "one journey, all columns", 30, 100, whole=False, of_customer=True),
    Question("journey_new", "one journey, of somebody new", whole=False, of_customer=True, fresh=True, text_of="journey"),
    Question("paths", "top paths: the first five kinds", 6, 12),
]
