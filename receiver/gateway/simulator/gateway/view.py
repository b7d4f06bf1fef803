"""The page that shows what the simulated gateway sent, as phones would see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from jinja2 import Environment, FileSystemLoader

from receiver.vocabulary.wire import visible

from .server import Request, Response
from .values import CHINA, Account, Call, Inbound, Sent, Violation

_FOLDER = Path(__file__).parent / "page"
_STYLE = "/gateway.css"
_SHOWN = 100
_SECURITY = "Content-Security-Policy: default-src 'none'; style-src 'self'"


class Seen(Protocol):
    """What the page shows of the gateway."""

    @property
    def sent(self) -> Sequence[Sent]: ...
    @property
    def replies(self) -> Sequence[Inbound]: ...
    @property
    def calls(self) -> Sequence[Call]: ...
    @property
    def violations(self) -> Sequence[Violation]: ...
    @property
    def after_stop(self) -> Sequence[Sent]: ...
    @property
    def pushed(self) -> Mapping[str, int]: ...
    @property
    def accounts(self) -> Sequence[Account]: ...
    @property
    def url(self) -> str: ...
    def unread(self, account: str | None = None) -> int: ...
    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Bubble:
    """One text on the page: to a phone, or from it."""

    at: datetime
    phone: str
    number: str
    """The service number."""
    text: str
    signature: str = ""
    """What the gateway puts in front (protocol.md §4)."""
    is_reply: bool = False
    waits: bool = False
    scheduled: bool = False
    forbidden: bool = False
    """Sent to somebody who had said stop."""


class View:
    """Answers requests for the page and its style, and anything else with 404."""

    def __init__(self, seen: Seen, charset: str) -> None:
        self._seen = seen
        self._charset = charset
        environment = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True)
        environment.filters["china"] = self._china
        self._template = environment.get_template("gateway.html")

    def answer(self, request: Request) -> Response:
        if request.path == _STYLE:
            return Response((_FOLDER / "gateway.css").read_bytes(), content_type="text/css; charset=utf-8")
        if request.path != "/":
            return Response(b"404", 404)
        return Response(self.page().encode(), content_type="text/html; charset=utf-8", headers=(_SECURITY,))

    def page(self) -> str:
        seen = self._seen
        calls, replies = seen.calls, seen.replies
        return self._template.render(
            bubbles=self._bubbles(seen.sent, replies, set(seen.after_stop)),
            accounts=[(account, seen.unread(account.name)) for account in seen.accounts],
            texts=len(seen.sent),
            replies=len(replies),
            calls=len(calls),
            faults=sum(call.fault is not None for call in calls),
            violations=len(seen.violations),
            after_stop=len(seen.after_stop),
            pushed=sum(seen.pushed.values()),
            acknowledged=seen.pushed.get("0", 0),
            url=seen.url,
            now=seen.now(),
            shown=_SHOWN,
        )

    def _bubbles(self, sent: Sequence[Sent], replies: Sequence[Inbound], after_stop: set[Sent]) -> list[Bubble]:
        now = self._seen.now()
        signatures = {account.name: account.short_name for account in self._seen.accounts}
        shown = [
            Bubble(
                at=one.at,
                phone=visible(one.phone),
                number=one.sender,
                text=visible(one.text),
                signature=signatures.get(one.account, ""),
                waits=one.at > now,
                scheduled=one.scheduled is not None,
                forbidden=one in after_stop,
            )
            for one in sent
        ] + [
            Bubble(
                at=reply.at,
                phone=visible(reply.src),
                number=visible(reply.dst),
                text=visible(reply.raw.decode(self._charset, "replace")),
                is_reply=True,
            )
            for reply in replies
        ]
        shown.reverse()  # of the same moment, the one that came later is the newer
        return sorted(shown, key=lambda bubble: bubble.at, reverse=True)[:_SHOWN]

    def _china(self, moment: datetime) -> str:
        """China time; with the year where it is not this one."""
        local, now = moment.astimezone(CHINA), self._seen.now().astimezone(CHINA)
        return local.strftime("%m-%d %H:%M:%S" if local.year == now.year else "%Y-%m-%d %H:%M:%S")
