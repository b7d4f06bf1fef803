"""The suppression list, for whoever else sends on the enterprise's behalf; each export is itself an event."""

from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from receiver.store import optouts
from receiver.store.audit_log import Note
from receiver.store.ledger import Chain
from receiver.store.store import Store
from receiver.vocabulary import phone_identity
from receiver.vocabulary.ledger import Event, EventType

# Rows of one question.
_AT_ONCE = 500


class Form(StrEnum):
    """How a phone is written: +8613912345678, or as it is dialled at home, 13912345678."""

    E164 = "e164"
    NATIONAL = "national"


def exported(
    store: Store, *, actor: str, kind_of_file: str, form: Form = Form.E164, hashed: bool = False, region: str = "CN"
) -> Generator[dict[str, Any], None, None]:
    """Every opt-out in force, by phone: ``phone`` (``phone_sha256`` where ``hashed``), ``since`` and ``source``.

    Raises StoreError.
    """
    with store.snapshot() as connection:
        event = _event(optouts.count(connection), actor, kind_of_file, form, hashed=hashed)
        # Committed before the first phone is handed out: an export that breaks off may be in the ledger, but none
        # can leave without being there. The snapshot makes the count that of the rows, whoever stops meanwhile.
        with store.writing() as other:
            Chain(other).append([event])
        for row in optouts.stream(connection):
            phone = row["phone"]
            named = {"phone_sha256": digest(phone)} if hashed else {"phone": written(phone, form, region)}
            yield {**named, "since": row["since"], "source": row["source"]}


def exported_slowly(store: Store, *, actor: str, kind_of_file: str, note: Note) -> Iterator[Mapping[Any, Any]]:
    """Every opt-out that is in force from now to the end of reading, by phone, for a reader who may take hours.

    Each part is read in a transaction of its own, so that nothing waits for the reader: who stops or is lifted
    meanwhile may be there or not. The event, with how many there are now, and ``note`` are committed when this returns.
    Raises StoreError.
    """
    with store.writing() as connection:
        chain = Chain(connection)
        chain.append([_event(optouts.count(connection), actor, kind_of_file, Form.E164, hashed=False)])
        note.note(connection)
    return _parts(store)


def _parts(store: Store) -> Iterator[Mapping[Any, Any]]:
    # By phone: whoever is lifted and stops again meanwhile keeps their place.
    after = None
    while True:
        with store.reading() as connection:
            rows = optouts.by_phone(connection, after=after, limit=_AT_ONCE)
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1]["phone"]


def _event(count: int, actor: str, kind_of_file: str, form: Form, *, hashed: bool) -> Event:
    detail = {"count": count, "form": form.value, "hashed": hashed, "format": kind_of_file}
    return Event(EventType.EXPORTED, datetime.now(UTC), actor.strip(), None, detail=detail)


def digest(phone: str) -> str:
    """SHA-256, in hexadecimal digits, of the bytes of the E.164 form: ``+``, digits, and no line end.

    What is no phone is hashed as the register has it, in UTF-8.
    """
    return sha256(phone.encode()).hexdigest()


def written(phone: str, form: Form, region: str) -> str:
    """A phone in this form. In national form are only those of ``region`` that can be read back from it:
    a foreign number without its country code may be somebody's here.
    """
    if form is Form.E164 or not phone.startswith("+"):
        return phone
    national = _national(phone, region)
    return national if national is not None and phone_identity(national, region) == phone else phone


def _national(phone: str, region: str) -> str | None:
    if region == "CN" and phone.startswith("+861") and len(phone) == 14:
        return phone[3:]
    import phonenumbers

    try:
        parsed = phonenumbers.parse(phone, None)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.region_code_for_number(parsed) != region:
        return None
    formatted = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return "".join(filter(str.isdigit, formatted))
