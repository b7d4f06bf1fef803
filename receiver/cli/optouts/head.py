"""The option ``--head``: a head of the ledger that was kept outside, in either form that commands print it in."""

from typing import Any

import click

from receiver.vocabulary.ledger import KEPT_HEAD

METAVAR = "[SEQUENCE:]HASH"


class Head(click.ParamType[str]):
    """A head as it was kept outside: its hash, with its number before it where that was kept too."""

    name = "head"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        written = str(value).strip().lower()
        if not KEPT_HEAD.fullmatch(written):
            self.fail("write the head's 64 hexadecimal digits, or its number and them, like 42:9af1…", param, ctx)
        return written
