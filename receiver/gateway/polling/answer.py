"""An answer of the gateway as a file: its format, its SHA-256, how it was read, and its bytes as they came."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

_FORMAT = b"receiver-poll"
_VERSION = b"1"


class OtherVersion(Exception):
    """A file that another version of the receiver wrote, and can read."""


class Corrupt(Exception):
    """A file that is not what was written; the message says what is wrong, and quotes nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of readsms.asp as it came, and what it was read with. ``id`` becomes the message's."""

    id: UUID
    read_at: datetime
    account: str
    charset: str
    body: bytes
    whole: bool = True
    """Whether HTTP told its length, so that nothing can be missing at its end."""

    def __repr__(self) -> str:
        return f"Answer({self.id}, {len(self.body)} bytes)"  # what it says is nobody's business


def packed(answer: Answer) -> bytes:
    """The file's content."""
    told = {
        "read_at": answer.read_at.isoformat(),
        "account": answer.account,
        "charset": answer.charset,
        "whole": answer.whole,
    }
    content = json.dumps(told).encode() + b"\n" + answer.body
    return b"%s %s %s\n%s" % (_FORMAT, _VERSION, sha256(content).hexdigest().encode(), content)


def unpacked(content: bytes, answer_id: UUID) -> Answer:
    """What a file holds. Raises Corrupt, OtherVersion."""
    first, newline, said = content.partition(b"\n")
    words = first.split(b" ")
    if not newline or words[0] != _FORMAT or len(words) < 3:
        raise Corrupt("it has no head")
    if words[1] != _VERSION:
        raise OtherVersion(f"format {words[1].decode('ascii', 'replace')}")
    if words[2] != sha256(said).hexdigest().encode():
        raise Corrupt("its SHA-256 is another")
    told, _, body = said.partition(b"\n")
    try:
        head = json.loads(told)
        read_at = datetime.fromisoformat(head["read_at"]).astimezone(UTC)
        whole = head.get("whole", True)  # not told by those who wrote before it was
        return Answer(answer_id, read_at, str(head["account"]), str(head["charset"]), body, bool(whole))
    except (ValueError, KeyError, TypeError) as wrong:
        raise Corrupt("its head makes no sense") from wrong
