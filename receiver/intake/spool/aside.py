"""What was set aside from the spool, piece by piece, and what of it can be read: for the person who sees to it."""

from dataclasses import dataclass
from pathlib import Path

from receiver.vocabulary import Reply

from .line import BEGIN, END, Corrupt, Spooled, is_stop, item_of, likely_item_of


@dataclass(frozen=True, slots=True)
class Piece:
    """One line that could not be read, or that the database refused in any form."""

    content: bytes
    item: Spooled | None
    """What it says; None where that can't be made out."""
    is_whole: bool
    """Whether it is as it was written. Where not, each word of ``item`` may be another."""

    @property
    def stop(self) -> str | None:
        """The phone that said stop in it; None where it says no stop, or what it says can't be made out."""
        return phone_of(self.item) if self.item is not None and is_stop(self.item) else None


def pieces(path: Path) -> list[Piece]:
    """The pieces of a damaged file. Raises OSError."""
    lines = path.read_bytes().replace(BEGIN, END).split(END)
    return [_piece(line) for line in lines if line]


def phone_of(item: Spooled) -> str | None:
    """Whom it is of, where that was made out: of what is in quarantine only who said stop is."""
    return item.delivery.src if isinstance(item, Reply) else item.undeliverable.unsubscribes


def _piece(line: bytes) -> Piece:
    for read, is_whole in ((item_of, True), (likely_item_of, False)):
        try:
            return Piece(line, read(line), is_whole)
        except Corrupt:
            continue
    return Piece(line, None, False)
