"""What a load run says: reply number n of a run, made from the run's own number and n alone.

So the database can be held against it without any other record: every reply of a run goes to a service number that
is the run's own, a reply's text holds its number, and the phone of every one is its own.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from receiver.vocabulary import Kind

from .wire import Encoding, Unencodable, written

# No operator has this range: should a run ever meet a register that is used in earnest, nobody is unsubscribed by it.
_RANGE = "154"
_PHONES = 10**8
_SERVICE_NUMBER = "10690"
_PHRASES = (
    "收到，谢谢",
    "Yes, see you at 3 o'clock",
    "明天下午三点可以吗？",
    "要！100% 要 (a&b=c)",
    "好的😀",
    "請問還有名額嗎",
    "会议改到周五，地点不变，请通知所有同事带上身份证和报名表，谢谢配合。",
)
_STOPS = ("0000", "００００", " 0000", "0000\r\n")
_FORMS = ("{}", "86{}", "+86{}", "0086{}")
_NUMBER = re.compile(r" ([0-9]{8})-([0-9]+)\Z")


def simulated_phone(number: int) -> str:
    """A phone that looks like any Chinese mobile, and is nobody's."""
    return f"{_RANGE}{number % _PHONES:08d}"


@dataclass(frozen=True, slots=True)
class Line:
    """Reply number n: as it is written, and as it must be stored (``phone``, ``text``, ``kind``)."""

    src: str
    phone: str
    text: str
    kind: Kind
    msg: bytes
    post: bool


class Script:
    """The replies of one run. ``unsubscribes`` is the share of them that are, from 0 to 1."""

    def __init__(
        self, unsubscribes: float = 0.02, encodings: Sequence[Encoding] = tuple(Encoding), run: int | None = None
    ) -> None:
        self.run = secrets.randbelow(_PHONES) if run is None else run % _PHONES
        self.dst = f"{_SERVICE_NUMBER}{self.run:08d}"
        self._unsubscribes = unsubscribes
        self._encodings = tuple(encodings)
        self._first_phone = self.run * 7_919 % _PHONES

    def line(self, number: int) -> Line:
        stop = self.is_unsubscribe(number)
        text = _STOPS[number % len(_STOPS)] if stop else f"{_PHRASES[number % len(_PHRASES)]} {self.run:08d}-{number}"
        phone = simulated_phone(self._first_phone + number)
        return Line(
            src=_FORMS[number // 3 % len(_FORMS)].format(phone),
            phone=f"+86{phone}",
            text=text,
            kind=Kind.UNSUBSCRIBE if stop else Kind.REPLY,
            msg=self._written(text, number),
            post=number % 11 == 10,
        )

    def is_unsubscribe(self, number: int) -> bool:
        """Spread evenly, the same for the same number."""
        return int((number + 1) * self._unsubscribes) > int(number * self._unsubscribes)

    def phone(self, number: int) -> str:
        """The identity that reply number n is stored under."""
        return f"+86{simulated_phone(self._first_phone + number)}"

    def number(self, phone: str, text: str, kind: str) -> int | None:
        """Which reply of this run a stored row is; None where it is none of them."""
        if kind == Kind.UNSUBSCRIBE:
            known = re.fullmatch(rf"\+86{_RANGE}([0-9]{{8}})", phone)
            return (int(known[1]) - self._first_phone) % _PHONES if known else None
        said = _NUMBER.search(text)
        return int(said[2]) if said and int(said[1]) == self.run else None

    def _written(self, text: str, number: int) -> bytes:
        # Not by number alone: each phrase is to meet each encoding.
        encoding = self._encodings[(number + number // len(_PHRASES)) % len(self._encodings)]
        try:
            return written(text, encoding)
        except Unencodable:
            return written(text, Encoding.GB18030)
