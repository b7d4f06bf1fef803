"""Messages read again in another charset over the API, and what they were taken to say before."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Act, Action, Scope
from receiver.intake.redecode import NoSuchMessage, Redecoded, Redecoding, Stopped
from receiver.store import messages, readings
from receiver.vocabulary import Charset, Kind

from ..parts import parts
from .gate import act, key
from .messages import MessageFilters, MessagePath
from .paging import Page, PageQuery, paged, place, uuid_key
from .problems import NOT_FOUND, REFUSED, Rejected
from .routes import Routes
from .values import Moment, Whole

routes = Routes("Re-decoding", "Messages read again from their bytes, in another charset.")

MOST_EXAMINED = 500


_CHARSET = Field(description="`auto`: by the rule for each text", examples=["gb18030"])
_DRY_RUN = Field(False, description="true: show what would change, and change nothing")


class ReadingShown(BaseModel):
    """What a message is taken to say."""

    model_config = ConfigDict(title="Reading")

    text: str = Field(examples=["你好"])
    charset: str = Field(examples=["gb18030"])
    charset_certain: bool = Field(description="False where the other charset is plausible too")
    kind: Kind


class EarlierReading(ReadingShown):
    """What a message was taken to say until it was read again."""

    model_config = ConfigDict(title="EarlierReading")

    at: Moment = Field(description="Until when")
    actor: str = Field(description="Who had it read again", examples=["crm (rcv_3f9a1c2b)"])


class RedecodedMessage(BaseModel):
    """A message that was read again."""

    id: UUID
    changed: bool = Field(description="Whether it says anything else now")
    stopped: Stopped | None = Field(
        description="It turned out to be an unsubscribe: the phone was opted out by it, or asked to be once more"
    )
    before: ReadingShown
    after: ReadingShown


class RedecodedMessages(BaseModel):
    """A part of the messages that match: those that say anything else when they are read again."""

    examined: int = Field(description="How many were read again", examples=[200])
    items: list[RedecodedMessage] = Field(description="Those that say anything else, oldest first")
    next: UUID | None = Field(description="Send it as `newer_than` to go on; null where all were read again")


class Wanted(BaseModel):
    """How to read a message."""

    model_config = ConfigDict(extra="forbid")

    charset: Charset = _CHARSET
    dry_run: bool = _DRY_RUN


class WantedOfMany(MessageFilters):
    """Which messages to read again, and how."""

    model_config = ConfigDict(extra="forbid")

    charset: Charset = _CHARSET
    dry_run: bool = _DRY_RUN
    limit: Whole = Field(200, ge=1, le=MOST_EXAMINED, description="Messages to read again in this call")
    newer_than: UUID | None = Field(None, description="`next` of the call before, with the same filters")
    all: bool = Field(False, description="true: every message that there is; else some filter has to be given")


@routes.post("/messages/<uuid:id>/redecode", scope=Scope.ADMIN, answers={200: RedecodedMessage}, problems=(404,))
def redecode_message(path: MessagePath, body: Wanted) -> Response:
    """Read a message again

    From the bytes that came, as if they had come in this charset. What it was taken to say before is kept. Where it
    turns out to be an unsubscribe, the phone is opted out with this answer, and the ledger has when the message came:
    also a phone that was lifted since, for nobody knew of this stop then. Where it turns out to be none, nothing is
    lifted. The same again changes nothing.
    """
    try:
        done = _redecoding().one(
            path.id, body.charset, actor=key().actor, notes=_notes(body.charset), dry_run=body.dry_run
        )
    except NoSuchMessage as unknown:
        raise Rejected(NOT_FOUND, str(unknown)) from None
    return jsonify(_redecoded(done))


@routes.post("/messages/redecode", scope=Scope.ADMIN, answers={200: RedecodedMessages})
def redecode_messages(body: WantedOfMany) -> Response:
    """Read many messages again

    The oldest ones that match first, some at a time: call it again with `newer_than` until `next` is null. Each message
    is changed as by the call for one, and what was changed stays so where a later call fails. Say which: by filters, or
    with `all` every one.
    """
    _refuse_unsaid(body)
    from_the_beginning = UUID(int=0)
    done = _redecoding().some(
        body.chosen(),
        body.charset,
        actor=key().actor,
        newer_than=body.newer_than or from_the_beginning,
        limit=body.limit,
        notes=_notes(body.charset),
        dry_run=body.dry_run,
    )
    return jsonify({"examined": done.count, "items": [_redecoded(each) for each in done.changed], "next": done.last})


@routes.get(
    "/messages/<uuid:id>/readings", scope=Scope.MESSAGES_READ, answers={200: Page[EarlierReading]}, problems=(404,)
)
def list_readings(path: MessagePath, query: PageQuery) -> Response:
    """List what a message was taken to say before

    One for each time that it was read again and said something else. What it is taken to say now is in the message.
    """
    at = place(query.cursor, uuid_key)
    with parts().store.reading() as transaction:
        if messages.get(transaction, path.id) is None:
            raise Rejected(NOT_FOUND, "no message has this id")
        found = readings.of_message(
            transaction, path.id, older_than=at.older_than, newer_than=at.newer_than, limit=query.limit + 1
        )
    return jsonify(paged(found, at, query.limit, key=lambda row: row["id"], shown=_earlier))


def _refuse_unsaid(wanted: WantedOfMany) -> None:
    """A filter that was forgotten must not have every message read again."""
    is_filtered = wanted.chosen() != messages.Filter()
    if wanted.all and is_filtered:
        raise Rejected(REFUSED, "there are filters beside `all`: leave the one or the other out")
    if not wanted.all and not is_filtered:
        raise Rejected(
            REFUSED, "no filter says which messages: give one, or `all`: true for every message that there is"
        )


def _redecoding() -> Redecoding:
    return Redecoding(parts().store, parts().settings.reading)


def _notes(charset: Charset) -> Any:
    def noted(message_id: UUID) -> Act:
        return act(Action.MESSAGE_REDECODED, str(message_id), charset=charset.value)

    return noted


def _redecoded(done: Redecoded) -> dict[str, Any]:
    return RedecodedMessage(
        id=done.id,
        changed=done.changed,
        stopped=done.stopped,
        before=ReadingShown(**done.before),
        after=ReadingShown(**done.after),
    ).model_dump(mode="json")


def _earlier(row: Mapping[Any, Any]) -> dict[str, Any]:
    return EarlierReading(**{name: row[name] for name in readings.FIELDS}).model_dump(mode="json")
