"""What can go wrong with a call to the gateway: whether it was carried out is what tells these errors apart.

No message holds a password, a phone, a text or a URL.
"""

from .codes import Meaning, meaning_of


class GatewayError(Exception):
    """The base of all of them."""


class Unsendable(GatewayError, ValueError):
    """Refused by us before anything was sent; the message names what is wrong and the way out.

    ``char`` is the character that can't be sent, where it is for one.
    """

    def __init__(self, message: str, char: str | None = None) -> None:
        super().__init__(message)
        self.char = char


class NotSent(GatewayError):
    """Nothing reached the gateway, or nothing that it took, so that trying again repeats nothing."""


class NotTaken(NotSent):
    """The gateway takes no POST, and has not read this one: the next call is made by GET."""


class InDoubt(GatewayError):
    """The call may have been carried out, or not: no answer, or none that says. Never to be repeated silently."""


class Unreadable(InDoubt):
    """An answer that is cut, an HTTP error, or not in the protocol's form. ``body`` is what came of it."""

    def __init__(self, message: str, body: bytes = b"") -> None:
        super().__init__(message)
        self.body = body


class Refusal(GatewayError):
    """The gateway said no: nothing was carried out. Trying the same again is useless (protocol.md §7).

    ``message`` is the gateway's own text (``err``), which may hold a phone or a word of the text: it is no part of
    ``str()``. A code of §7 has a class of its own.
    """

    def __init__(self, code: int, message: str = "") -> None:
        self.code = code
        self.message = message
        self.meaning: Meaning = meaning_of(code)
        super().__init__(
            f"the gateway refused it: {code} {self.meaning.english} ({self.meaning.chinese}); "
            f"{self.meaning.advice_english}"
        )
