"""Which replies: the filters that several commands take."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from receiver.cli.options import period_options
from receiver.config import Settings
from receiver.store import messages
from receiver.vocabulary import Kind, Origin, phone_identity


def message_filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The filters, as ``Asked`` has them."""
    for option in (
        click.option("--duplicates/--no-duplicates", default=None, help="Only suspected duplicates, or none of them."),
        click.option("--origin", type=click.Choice([str(each) for each in Origin]), help="How they reached us."),
        click.option("--kind", type=click.Choice([str(each) for each in Kind]), help="Replies, or unsubscribes."),
        click.option("--text", help="With this in the text, letter case and width aside."),
        click.option("--dst", help="To this service number, whole."),
        click.option("--src", metavar="PHONE", help="From this phone, written in any way (or sender, as it came)."),
    ):
        command = option(command)
    return period_options(command)


@dataclass(frozen=True)
class Asked:
    """The filter options as they were given."""

    src: str | None
    dst: str | None
    text: str | None
    kind: str | None
    origin: str | None
    since: datetime | None
    until: datetime | None
    duplicates: bool | None

    @property
    def is_for_all(self) -> bool:
        """Whether there is no condition."""
        return self == Asked(None, None, None, None, None, None, None, None)

    def filter(self, chosen: Settings) -> messages.Filter:
        src = self.src and (phone_identity(self.src, chosen.default_region) or self.src.strip())
        kind, origin = self.kind and Kind(self.kind), self.origin and Origin(self.origin)
        return messages.Filter(
            src, self.dst, self.text, kind or None, origin or None, self.since, self.until, self.duplicates
        )
