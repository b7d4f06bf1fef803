"""Keys over the API: made, listed, looked at, revoked."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Action, Key, NoSuchKey, Scope
from receiver.access.keys import LONGEST_NAME

from ..parts import parts
from .gate import act, key
from .paging import Page, PageQuery, paged, place, uuid_key
from .problems import NOT_FOUND, REFUSED, Rejected
from .routes import Routes
from .values import Moment, Text

routes = Routes("Keys", "Who may use this API, and for what.")


class KeyShown(BaseModel):
    """A key, without its secret."""

    model_config = ConfigDict(title="Key")

    id: UUID
    name: str = Field(examples=["crm"])
    prefix: str = Field(description="How the token begins", examples=["rcv_3f9a1c2b"])
    scopes: list[Scope]
    state: str = Field(description="`active`, `expired` or `revoked`", examples=["active"])
    created_at: Moment
    created_by: str = Field(examples=["li"])
    expires_at: Moment | None
    revoked_at: Moment | None
    revoked_by: str | None
    last_used_at: Moment | None = Field(description="To the minute")


class NewKey(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(min_length=1, max_length=LONGEST_NAME, description="What it is for", examples=["crm"])
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope), examples=[["messages:read"]])
    expires_at: Moment | None = Field(
        None, description="When it ends; without it never", examples=["2099-01-01T00:00:00+08:00"]
    )


class MadeKey(KeyShown):
    """A new key, with its token for this once."""

    model_config = ConfigDict(title="MadeKey")

    token: str = Field(description="Shown this once, and nowhere kept", examples=["rcv_3f9a1c2b_" + "x" * 43])


class KeyPath(BaseModel):
    id: UUID


@routes.get("/keys", scope=Scope.ADMIN, answers={200: Page[KeyShown]})
def list_keys(query: PageQuery) -> Response:
    """List keys, newest first"""
    at = place(query.cursor, uuid_key)
    found = parts().keys.page(older_than=at.older_than, newer_than=at.newer_than, limit=query.limit + 1)
    return jsonify(paged(found, at, query.limit, key=lambda each: each.id, shown=_shown))


@routes.post("/keys", scope=Scope.ADMIN, answers={201: MadeKey})
def create_key(body: NewKey) -> tuple[Response, int]:
    """Make a key

    The token is in this answer and nowhere else.
    """
    try:
        made = parts().keys.create(
            body.name,
            body.scopes,
            actor=key().actor,
            expires_at=body.expires_at,
            act=act(Action.KEY_CREATED, body.name, scopes=sorted(set(body.scopes))),
        )
    except ValueError as wrong:
        raise Rejected(REFUSED, str(wrong)) from None
    return jsonify({**_shown(made.key), "token": made.token}), 201


@routes.get("/keys/<uuid:id>", scope=Scope.ADMIN, answers={200: KeyShown}, problems=(404,))
def get_key(path: KeyPath) -> Response:
    """Look at a key"""
    try:
        found = parts().keys.get(path.id)
    except NoSuchKey:
        raise Rejected(NOT_FOUND, "no key has this id") from None
    if found.revoked_at is not None:
        raise Rejected(NOT_FOUND, f"the key {found.prefix} was revoked: the list of keys says when and by whom")
    return jsonify(_shown(found))


@routes.delete("/keys/<uuid:id>", scope=Scope.ADMIN, answers={200: KeyShown}, problems=(404,))
def revoke_key(path: KeyPath) -> Response:
    """Revoke a key

    From the answer on it opens nothing, for good. It stays in the list, and what was done with it in the audit. The
    same again changes nothing.
    """
    try:
        revoked = parts().keys.revoke(path.id, actor=key().actor, act=act(Action.KEY_REVOKED, str(path.id)))
    except NoSuchKey:
        raise Rejected(NOT_FOUND, "no key has this id") from None
    return jsonify(_shown(revoked))


def _shown(shown: Key) -> dict[str, Any]:
    return KeyShown(
        id=shown.id,
        name=shown.name,
        prefix=shown.prefix,
        scopes=sorted(shown.scopes),
        state=shown.state(datetime.now(UTC)),
        created_at=shown.created_at,
        created_by=shown.created_by,
        expires_at=shown.expires_at,
        revoked_at=shown.revoked_at,
        revoked_by=shown.revoked_by,
        last_used_at=shown.last_used_at,
    ).model_dump(mode="json")
