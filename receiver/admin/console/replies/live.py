"""Replies as they come in, as rows of the list that is looked at."""

from typing import Any

from flask import Response, render_template, request

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.store import feed
from receiver.store.errors import StoreError
from receiver.store.feed import Place

from ... import tail
from ...parts import Parts, parts
from .. import cookies
from ..revealing import reveals
from ..visitor import person
from .filters import Chosen
from .pages import pages


@pages.get("/replies/live", needs=Permission.SEE)
def live() -> Response:
    """Server-sent events, each a row; nothing where what was asked for can't be, and the page goes on without."""
    chosen = Chosen.of(request.args)
    if chosen.form.errors:
        return Response(status=204)
    held, cookie = parts(), request.cookies[cookies.SESSION]
    is_whole = reveals(Action.MESSAGES_READ)
    place = _place(request.headers.get("Last-Event-ID") or request.args.get("after", ""))

    def written(row: Any) -> str:
        shown = render_template("console/replies/row.html", row=row, is_whole=is_whole)
        return "".join(f"data: {line}\n" for line in shown.splitlines() if line.strip())

    try:
        return tail.follow(
            held.store,
            person().id,
            place,
            chosen.filter,
            written=written,
            shows=chosen.shows,
            may_go_on=lambda: _may_go_on(held, cookie, Permission.REVEAL if is_whole else Permission.SEE),
        )
    except tail.TooMany:
        return Response(status=204)


def _place(written: str) -> Place:
    """Where the page's rows end, or where all end: what a page has from before a restore leads nowhere."""
    with parts().store.reading() as transaction:
        try:
            place = Place.of(written)
        except ValueError:
            return feed.end(transaction)
        return feed.end(transaction) if feed.lies_ahead(transaction, place) else place


def _may_go_on(held: Parts, cookie: str, needs: Permission) -> bool:
    try:
        session = held.sessions.of(cookie)
    except StoreError:
        return True  # the next look at the feed tells
    return session is not None and session.person.may(needs)
