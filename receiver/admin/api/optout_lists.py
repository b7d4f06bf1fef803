"""The register by the list over the API: the suppression list as a file, and lists of people who said stop."""

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from receiver.access import Action, Scope
from receiver.optout.export import exported_slowly
from receiver.optout.imports import OptoutImport
from receiver.optout.register import LONGEST_REASON, explained

from ..parts import parts
from .files import FORMAT, Files, Format
from .gate import act, key
from .lists import ImportedList, ListQuery, checked, described, listed
from .optouts import OptOut, acting
from .routes import Routes
from .values import Text

routes = Routes("Opt-out lists", "The register as a file, and files for it.")

_FILES = Files("optouts", tuple(OptOut.model_fields))
_EXAMPLE = {"phone": "+8613900000001", "since": "2026-06-03T09:00:00.000000Z", "source": "sms", "actor": "subscriber"}


class OptOutExportQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Format = FORMAT


class OptOutImportQuery(ListQuery):
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


class ImportedOptOuts(ImportedList):
    """What became of a list of opt-outs."""

    new: int = Field(description="Phones that are opted out by it", examples=[1])
    already: int = Field(description="Lines whose phones were opted out before, or by an earlier line", examples=[1])


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
    content=described(
        "phone,reason,since\n13900000003,by letter,2025-06-03\n", '{"phone": "13900000003", "reason": "by letter"}\n'
    ),
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
    with listed([query.column], ["reason", "since"], plain=True) as found:
        explained(query.reason, actor)
        wanted = OptoutImport(
            parts().store,
            found,
            column=query.column,
            region=parts().settings.default_region,
            reason=query.reason,
            actor=actor,
        )
        rejected, bad = checked(wanted, query)
        if query.dry_run:
            taken = wanted.preview()
        else:
            noted = act(Action.OPTOUTS_IMPORTED, rows=wanted.rows, rejected=rejected, file_sha256=found.sha256)
            taken = wanted.take(note=noted)
    became = ImportedOptOuts(
        dry_run=query.dry_run, rows=wanted.rows, new=taken.new, already=taken.already, rejected=rejected, bad=bad
    )
    return jsonify(became.model_dump(mode="json"))
