"""The audit over the API: who changed, exported or revealed what."""

from typing import Any
from uuid import UUID

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Action, Scope
from receiver.access.audit import Via
from receiver.store import audit_log

from ..parts import parts
from .paging import Page, PageQuery, paged, place, uuid_key
from .routes import Routes
from .values import Moment, Text, Until

routes = Routes("Audit", "Who changed, exported or revealed what, through which door.")


class ActShown(BaseModel):
    """Something that somebody did."""

    model_config = ConfigDict(title="Act")

    id: UUID
    at: Moment
    action: str = Field(examples=["key.created"])
    actor: str = Field(examples=["crm (rcv_3f9a1c2b)"])
    via: Via
    target: str | None
    detail: dict[str, Any]
    key_id: UUID | None
    peer: str | None = Field(description="The address that it came from")


class AuditQuery(PageQuery):
    """Which acts: those that meet every condition given."""

    action: Action | None = Field(None, description="Only this")
    actor: Text | None = Field(None, max_length=200, description="By whom, as the audit names them, whole")
    target: Text | None = Field(None, max_length=200, description="Done to this: an id, a phone, a name, whole")
    key_id: UUID | None = Field(None, description="With this key")
    since: Moment | None = Field(None, description="At or after this")
    until: Until = Field(None, description="Before this")


@routes.get("/audit", scope=Scope.ADMIN, answers={200: Page[ActShown]})
def list_audit(query: AuditQuery) -> Response:
    """List what was done, newest first"""
    at = place(query.cursor, uuid_key)
    chosen = audit_log.Filter(query.action, query.actor, query.target, query.key_id, query.since, query.until)
    with parts().store.reading() as transaction:
        found = audit_log.page(
            transaction, chosen, older_than=at.older_than, newer_than=at.newer_than, limit=query.limit + 1
        )
    return jsonify(
        paged(
            found,
            at,
            query.limit,
            key=lambda row: row["id"],
            shown=lambda row: ActShown(**row).model_dump(mode="json"),
        )
    )
