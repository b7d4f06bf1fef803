"""From what was measured, round by round, to one row for each contender, and to what of the budget was met."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from .contenders import EMPTY, ORM, OURS, SPOOL, Contender
from .load import Load

# The budget of the receive path.
OF_EMPTY = {"SQLite": 0.8, "PostgreSQL": 0.7}
OF_ORM = 4.0
P99_OF_EMPTY = 3.0
MEMORY_MB = 90.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One contender in one round. ``answered`` and ``stored`` include the warm-up before it."""

    load: Load
    cpu_seconds: float
    memory_mb: float
    answered: int
    stored: int | None

    @property
    def cpu_us(self) -> float:
        return self.cpu_seconds / self.load.replies * 1e6

    @property
    def lost(self) -> int:
        """Replies that were answered and are not stored.

        Not seen behind those that were stored and whose answer came too late to be counted: one for each connection
        at most, at the end of the warm-up and of the run.
        """
        return 0 if self.stored is None else max(0, self.answered - self.stored)


Rounds = Mapping[Contender, Sequence[Sample]]


@dataclass(frozen=True, slots=True)
class Row:
    """A contender's medians over the rounds; a ratio is the median of the ratios within each round."""

    contender: Contender
    per_second: float
    of_empty: float
    of_orm: float | None
    p50_ms: float
    p99_ms: float
    p99_of_empty: float
    cpu_us: float
    memory_mb: float
    errors: int
    lost: int


@dataclass(frozen=True, slots=True)
class Promise:
    """A line of the budget."""

    text: str
    measured: str
    kept: bool


def rows(rounds: Rounds) -> list[Row]:
    return [_row(contender, rounds) for contender in rounds]


def budget(table: Sequence[Row]) -> list[Promise]:
    """Every line of the budget that the contenders in ``table`` allow to judge."""
    by_contender = {row.contender: row for row in table}
    promises = []
    for database, contender in OURS.items():
        row = by_contender.get(contender)
        if row is None:
            continue
        of_empty = OF_EMPTY[database]
        promises += [
            Promise(
                f"{database}: replies/s ≥ {of_empty} × the empty view", f"{row.of_empty:.2f}", row.of_empty >= of_empty
            ),
            Promise(
                f"{database}: p99 ≤ {P99_OF_EMPTY:g} × the empty view's",
                f"{row.p99_of_empty:.2f}",
                row.p99_of_empty <= P99_OF_EMPTY,
            ),
            Promise(
                f"{database}: callback process ≤ {MEMORY_MB:g} MB", f"{row.memory_mb:.0f}", row.memory_mb <= MEMORY_MB
            ),
            _all_stored(str(database), row),
        ]
        if row.of_orm is not None:
            promises.append(
                Promise(
                    f"{database}: replies/s ≥ {OF_ORM:g} × one ORM commit each",
                    f"{row.of_orm:.2f}",
                    row.of_orm >= OF_ORM,
                )
            )
    return promises + [_all_stored("spool", row) for row in table if row.contender is SPOOL]


def _all_stored(name: str, row: Row) -> Promise:
    said = f"{row.errors} errors, {row.lost} missing"
    return Promise(f"{name}: every reply answered 0, and stored", said, not row.errors and not row.lost)


def _row(contender: Contender, rounds: Rounds) -> Row:
    samples, empty = rounds[contender], rounds[EMPTY]
    orm = rounds.get(ORM[contender.database]) if contender.database in ORM else None
    return Row(
        contender=contender,
        per_second=median(sample.load.per_second for sample in samples),
        of_empty=_ratio(samples, empty, lambda sample: sample.load.per_second),
        of_orm=None if orm is None else _ratio(samples, orm, lambda sample: sample.load.per_second),
        p50_ms=median(sample.load.p50_ms for sample in samples),
        p99_ms=median(sample.load.p99_ms for sample in samples),
        p99_of_empty=_ratio(samples, empty, lambda sample: sample.load.p99_ms),
        cpu_us=median(sample.cpu_us for sample in samples),
        memory_mb=max(sample.memory_mb for sample in samples),
        errors=sum(sample.load.errors for sample in samples),
        lost=sum(sample.lost for sample in samples),
    )


def _ratio(samples: Sequence[Sample], base: Sequence[Sample], figure: Callable[[Sample], float]) -> float:
    return median(figure(sample) / figure(other) for sample, other in zip(samples, base, strict=True))
