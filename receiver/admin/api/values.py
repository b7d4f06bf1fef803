"""Values as they go in and out: times of RFC 3339 with a zone, and phones in any written form."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from receiver.vocabulary import as_it_came, phone_identity
from receiver.vocabulary.ledger import timestamp

from ..parts import parts
from .problems import invalid

_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-5][0-9])"
)
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
_ADVICE = "write RFC 3339 with a zone, like 2026-06-03T17:00:00+08:00"


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        # In a query an unescaped + arrives as a space.
        if isinstance(value, str) and _RFC_3339.fullmatch(re.sub(r" (?=[0-9]{2}:[0-9]{2}$)", "+", value)):
            raise ValueError("the + of the zone must be escaped in a URL, as %2B: or write the time in UTC with Z")
        raise ValueError(f"this is no time with a zone: {_ADVICE}")
    try:
        moment = datetime.fromisoformat(value.upper().replace(" ", "T"))
    except ValueError:
        raise ValueError(f"there is no such time: {_ADVICE}") from None
    # Nothing happened before, and nothing will after; their neighbours can't be reckoned with in every zone.
    if moment.year <= _EARLIEST.year:
        return _EARLIEST
    return _LATEST if moment.year >= _LATEST.year else moment


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(timestamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-06-03T09:00:00.000000Z"]}),
]
"""A moment. In: RFC 3339 with a zone, a naive time is refused; a year before 1971 counts as 1970, one after 9997 as
9998. Out: in UTC with microseconds."""


def _not_before_since(until: datetime | None, others: ValidationInfo) -> datetime | None:
    since = others.data.get("since")
    if since is not None and until is not None and until < since:
        raise ValueError("it is before since, and nothing is between them: write a later time, or leave one out")
    return until


Until = Annotated[Moment | None, AfterValidator(_not_before_since)]
"""The end of a period that begins with the field ``since``, which stands before it."""


def _storable(value: str) -> str:
    if "\x00" in value:
        raise ValueError("a NUL can't be part of it: take it out")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("it is no valid Unicode: a surrogate stands alone") from None
    return value


class _NoNul:
    """Says in the schema what ``_storable`` refuses; a lone surrogate is no JSON and no UTF-8."""

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "pattern": r"^[^\u0000]*$"}


Text = Annotated[str, AfterValidator(_storable), _NoNul]
"""Text that every database takes."""


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number in a body: in JSON 200.0 is the same as 200."""

# What RFC 9110 lets a client write is more; what a register can hold is this.
Phone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    AfterValidator(_storable),
    _NoNul,
    Field(
        description="A phone in any written form; what is no phone number is taken as it came",
        examples=["139 0000 0001"],
        json_schema_extra={"format": "phone"},
    ),
]

PathPhone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    AfterValidator(_storable),
    _NoNul,
    Field(
        description="A phone in any written form, escaped",
        examples=["13900000001"],
        json_schema_extra={"format": "phone"},
    ),
]
"""``Phone`` as a part of a path."""


def identity(field: str, phone: str) -> str:
    """The E.164 form of ``phone``. Raises Rejected."""
    found = phone_identity(phone, parts().settings.default_region)
    if found is None:
        raise invalid(field, "this is no phone number: write it like 13912345678 or +8613912345678")
    return found


def sender(phone: str) -> str:
    """Whom ``phone`` is stored under: its E.164 form, or as it came where it is no phone number."""
    return phone_identity(phone, parts().settings.default_region) or as_it_came(phone)
