"""The audit: who changed, exported or revealed what, when, and through which door."""

import re
from uuid import UUID

from flask import render_template, request

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.store import audit_log

from ..parts import parts
from .audit_words import ACTIONS, DETAILS, VIA
from .paging import Page, place
from .routes import Pages

pages = Pages("audit")

_ROWS = 50
_LONGEST = 200
# An id has digits in a row too, which are no phone's.
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pages.get("/audit", needs=Permission.AUDIT)
def index() -> str:
    chosen = {name: _written(name) for name in ("action", "actor", "target")}
    if chosen["action"] not in list(Action):
        chosen["action"] = ""
    wanted = audit_log.Filter(chosen["action"] or None, chosen["actor"] or None, chosen["target"] or None)
    older, newer = place(request.args, UUID)
    with parts().store.reading() as transaction:
        found = audit_log.page(transaction, wanted, older_than=older, newer_than=newer, limit=_ROWS + 1)
    page = Page.of(found, _ROWS, older=older, newer=newer, key=lambda row: row["id"])
    return render_template(
        "console/audit.html",
        page=page,
        chosen=chosen,
        action_words=ACTIONS,
        detail_words=DETAILS,
        via_words=VIA,
        is_id=_ID.fullmatch,
    )


def _written(name: str) -> str:
    written = request.args.get(name, "").strip()
    return written if written.isprintable() and len(written) <= _LONGEST else ""
