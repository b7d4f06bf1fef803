"""What a form brings, field by field: what can't be used is told beside its field."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from .languages import gettext

Choice = TypeVar("Choice", bound=StrEnum)


class Form:
    """A form as it was sent. ``errors`` has words for each field that can't be used.

    >>> form = Form(request.form)
    >>> reason = form.line("reason", longest=200)
    >>> if not form.errors: ...
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self.errors: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        """What was written, to be shown again."""
        return self._given.get(name, "")

    def line(self, name: str, *, longest: int, needed: bool = True) -> str:
        """One line of text, without spaces around it; empty where it can't be used."""
        written = self[name].strip()
        if needed and not written:
            self.errors[name] = gettext("Write something here.")
        elif len(written) > longest:
            self.errors[name] = gettext("Write at most %(longest)s characters.", longest=longest)
        elif not written.isprintable():
            self.errors[name] = gettext("Write one line, without control characters.")
        return "" if name in self.errors else written

    def secret(self, name: str) -> str:
        """A password, as it is."""
        written = self[name]
        if not written:
            self.errors[name] = gettext("Write something here.")
        return written

    def choice(self, name: str, among: type[Choice]) -> Choice | None:
        """One of a few; None where it is none of them."""
        try:
            return among(self[name])
        except ValueError:
            self.errors[name] = gettext("Choose one of these.")
            return None
