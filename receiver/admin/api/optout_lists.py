"""The register by the list over the API: the suppression list as a file, and lists of people who said stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from tempfile import TemporaryFile
from typing import Any

from flask import Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Action, Scope
from receiver.optout.export import exported_slowly
from receiver.optout.imports import Listed, OptoutImport
from receiver.optout.json_lines import JsonLines
from receiver.optout.register import LONGEST_REASON, Unexplained, explained
from receiver.optout.sheet import Sheet, SheetError

from ..parts import parts
from .files import FORMAT, Files, Format
from .gate import act, key
from .optouts import OptOut, acting
from .problems import REFUSED, Rejected
from .routes import Routes
from .values import Text

routes = Routes("Opt-out lists", "The register as a file, and files for it.")

# Bad lines that an answer names; a problem names fewer.
_MOST_NAMED = 1_000
_MOST_IN_PROBLEM = 50
_CSV, _LINES = "text/csv", "application/x-ndjson"
# Bytes, which need not be UTF-8; tools that make clients know them by this format.
_BYTES = {"type": "string", "format": "binary"}
_NAME = "the body"
_FILES = Files("optouts", tuple(OptOut.model_fields))
_EXAMPLE = {"phone": "+8613900000001", "since": "2026-06-03T09:00:00.000000Z", "source": "sms", "actor": "subscriber"}


class OptOutExportQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Format = FORMAT


class OptOutImportQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Text = Field(
        min_length=1,
        max_length=LONGEST_REASON,
        description="Why, for lines that give none: the ledger keeps it",
        examples=["by letter"],
    )
    actor: Text | None = Field(
        None, min_length=1, max_length=50, description="The person behind it, kept beside the key"
    )
    column: Text = Field(
        "phone", min_length=1, max_length=64, description="The heading, or the member, that has the phones"
    )
    dry_run: bool = Field(False, description="true: show what would become of it, and change nothing")
    skip_bad: bool = Field(False, description="true: import the good lines though there are bad ones")


class BadLine(BaseModel):
    """A line that can't be imported."""

    line: int = Field(description="Its number, the heading's being 1", examples=[3])
    problem: str = Field(examples=["is no phone number: write it like 13912345678 or +8613912345678"])


class ImportedOptOuts(BaseModel):
    """What became of a list."""

    dry_run: bool = Field(description="true: it would become so, and nothing was changed", examples=[False])
    rows: int = Field(description="Lines that are no heading and not empty", examples=[3])
    new: int = Field(description="Phones that are opted out by it", examples=[1])
    already: int = Field(description="Lines whose phones were opted out before, or by an earlier line", examples=[1])
    rejected: int = Field(description="Bad lines", examples=[1])
    bad: list[BadLine] = Field(description=f"The bad lines, the first {_MOST_NAMED:,} of them")


@routes.get("/optouts/export", scope=Scope.OPTOUTS_READ, **_FILES.declared("by phone", _EXAMPLE))
def export_optouts(query: OptOutExportQuery) -> Response:
    """Export opt-outs

    The suppression list: every opt-out in force, with whole phones. The ledger keeps who exported it, and how many
    there were. Sent in pieces, each as the register is when it is read: a connection that ends without the last one (of
    chunked encoding) means that the file is not whole. To send by, ask with `POST /optouts/check`: a file grows old.
    """
    rows = exported_slowly(
        parts().store,
        actor=key().actor,
        kind_of_file=query.format,
        note=act(Action.OPTOUTS_EXPORTED, format=query.format),
    )
    return _FILES.answer(rows, query.format)


@routes.post(
    "/optouts/import",
    scope=Scope.OPTOUTS_WRITE,
    answers={200: ImportedOptOuts},
    content={
        _CSV: {"schema": _BYTES, "example": "phone,reason,since\n13900000003,by letter,2025-06-03\n"},
        _LINES: {"schema": _BYTES, "example": '{"phone": "13900000003", "reason": "by letter"}\n'},
    },
)
def import_optouts(query: OptOutImportQuery) -> Response:
    """Import opt-outs

    Every phone of the list is opted out. A list is CSV with a heading, or one phone a line (`text/csv`; UTF-8 or
    GB18030; commas, semicolons or tabs), or one JSON object a line (`application/x-ndjson`). The phones are in the
    column or member `phone`. One named `reason` has precedence over the parameter, and `since` (2025-06-03 or
    2025-06-03T17:00, China time unless it says) says when it was wished: that goes into the ledger, while the opt-out
    is in force from now. Others are left alone.

    First the whole list is checked. If any line is bad nothing is imported, and the problem names the first of them:
    correct them, or say `skip_bad`. `dry_run` names them too, and counts what would become of the others.

    Then the phones are opted out, a thousand at a time. Who is opted out already is passed over, so that the same list
    may be sent again: after a lost answer or a 503 that goes on where it ended.
    """
    actor = acting(query.actor)
    try:
        explained(query.reason, actor)
        with _list(query.column) as listed:
            wanted = OptoutImport(
                parts().store,
                listed,
                column=query.column,
                region=parts().settings.default_region,
                reason=query.reason,
                actor=actor,
            )
            return jsonify(_imported(wanted, query, listed.sha256))
    except (SheetError, Unexplained) as wrong:
        raise Rejected(REFUSED, str(wrong)) from None


@contextmanager
def _list(column: str) -> Iterator[Listed]:
    """The list in the body. Raises SheetError."""
    content = request.get_data()
    if request.mimetype == _LINES:
        yield JsonLines(content, _NAME, [column, "reason", "since"])
        return
    with TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield Sheet(file, _NAME, [column], plain=True)


def _imported(wanted: OptoutImport, query: OptOutImportQuery, sha256: str) -> dict[str, Any]:
    found = wanted.check()
    bad = [BadLine(line=each.line, problem=each.problem) for each in islice(found, _MOST_NAMED)]
    rejected = len(bad) + sum(1 for _ in found)
    if rejected and not query.skip_bad and not query.dry_run:
        raise Rejected(
            REFUSED,
            f"{rejected:,} of {wanted.rows:,} lines can't be imported, and nothing was: correct them, or import the "
            "others with skip_bad=true",
            errors=[(f"line {each.line}", each.problem) for each in bad[:_MOST_IN_PROBLEM]],
        )
    if query.dry_run:
        taken = wanted.preview()
    else:
        taken = wanted.take(note=act(Action.OPTOUTS_IMPORTED, rows=wanted.rows, rejected=rejected, file_sha256=sha256))
    return ImportedOptOuts(
        dry_run=query.dry_run,
        rows=wanted.rows,
        new=taken.new,
        already=taken.already,
        rejected=rejected,
        bad=bad,
    ).model_dump(mode="json")
