"""The register in lists: a file that opts people out, looked at before it is applied, and the register as a file."""

import binascii
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from tempfile import TemporaryFile

from flask import Response, make_response, render_template, request

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.optout.export import exported_slowly
from receiver.optout.imports import OptoutImport
from receiver.optout.register import LONGEST_REASON
from receiver.optout.sheet import Sheet, SheetError
from receiver.store import optouts

from ...api.files import Files
from ...api.optouts import OptOut
from ...parts import parts
from ..exports import asked_progress
from ..forms import Form
from ..languages import gettext
from ..problems import told
from ..visitor import act, person
from .pages import pages

_FILES = Files("optouts", tuple(OptOut.model_fields))
_PHONE = "phone"
_LONGEST_COLUMN, _LONGEST_NAME = 64, 100
# Bad lines that are shown.
_MOST_SHOWN = 100
# A list travels within the form that applies it, so that what is applied is what was shown, on whichever machine.
_LARGEST, _LARGEST_PACKED = 1_000_000, 450_000


class ExportForm(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class _List:
    """A list as it was given: its bytes, its file's name, and the heading of its phones."""

    content: bytes
    name: str
    column: str

    @property
    def packed(self) -> str:
        return b64encode(zlib.compress(self.content)).decode()

    @contextmanager
    def opened(self, reason: str) -> Iterator[tuple[OptoutImport, Sheet]]:
        """Its import. Raises SheetError."""
        with TemporaryFile() as file:
            file.write(self.content)
            file.seek(0)
            sheet = Sheet(file, self.name, [self.column], plain=True)
            region, actor = parts().settings.default_region, person().name
            wanted = OptoutImport(
                parts().store, sheet, column=self.column, region=region, reason=reason, actor=actor
            )  # fmt: skip
            yield wanted, sheet


@pages.get("/optouts/import", needs=Permission.OPT_OUT)
def import_list() -> str:
    return _asking(Form({}))


@pages.post("/optouts/import", needs=Permission.OPT_OUT)
def preview() -> Response:
    form = Form(request.form)
    given = _given(form)
    if given is None:
        return make_response(_asking(form), 422)
    if len(given.packed) > _LARGEST_PACKED:
        form.errors["list"] = gettext("This list is too large for a page: give it to “receiver optouts import”.")
        return make_response(_asking(form), 422)
    try:
        return make_response(_preview(given, Form({})))
    except SheetError as wrong:
        form.errors["list"] = told(str(wrong))
        return make_response(_asking(form), 422)


@pages.post("/optouts/import/apply", needs=Permission.OPT_OUT)
def apply() -> Response:
    form = Form(request.form)
    column = form.line("column", longest=_LONGEST_COLUMN)
    name = form.line("name", longest=_LONGEST_NAME)
    content = _unpacked(form["packed"])
    if content is None or form.errors:
        form.errors["list"] = gettext("This list can't be read any more: give it again.")
        return make_response(_asking(form), 422)
    given = _List(content, name, column)
    reason = form.line("reason", longest=LONGEST_REASON)
    try:
        with given.opened(reason) as (wanted, sheet):
            rejected = sum(1 for _ in wanted.check())
            if rejected and not form["skip"]:
                form.errors["skip"] = gettext("Say that the bad lines may be left out, or correct them.")
            if form.errors:
                return make_response(_preview(given, form), 422)
            noted = act(Action.OPTOUTS_IMPORTED, rows=wanted.rows, rejected=rejected, file_sha256=sheet.sha256)
            taken = wanted.take(note=noted)
    except SheetError as wrong:
        form.errors["list"] = told(str(wrong))
        return make_response(_asking(form), 422)
    return make_response(render_template("console/optouts/imported.html", taken=taken, rejected=rejected, name=name))


@pages.post("/optouts/export", needs=Permission.EXPORT)
def export() -> Response:
    form = Form(request.form).choice("format", ExportForm) or ExportForm.CSV
    noted = act(Action.OPTOUTS_EXPORTED, format=form.value)
    rows = exported_slowly(parts().store, actor=person().name, kind_of_file=form.value, note=noted)
    progress = asked_progress()
    if progress is not None:
        with parts().store.reading() as transaction:
            progress.begin(optouts.count(transaction))
    return _FILES.answer(rows, form.value, progress)


def _given(form: Form) -> _List | None:
    """The list that a form brings: a file, or what was pasted."""
    column = form.line("column", longest=_LONGEST_COLUMN, needed=False) or _PHONE
    file = request.files.get("list")
    if file is not None and file.filename:
        name = "".join(filter(str.isprintable, file.filename.replace("\\", "/").rpartition("/")[2]))
        content = file.read(_LARGEST + 1)
    else:
        name, content = "", form["pasted"].encode("utf-8", "replace")
    if not content.strip():
        form.errors["list"] = gettext("Choose a file, or paste phones.")
    return None if form.errors else _List(content, name[-_LONGEST_NAME:] or "pasted.txt", column)


def _unpacked(packed: str) -> bytes | None:
    if len(packed) > _LARGEST_PACKED:
        return None
    try:
        reader = zlib.decompressobj()
        content = reader.decompress(b64decode(packed, validate=True), _LARGEST)
    except (binascii.Error, ValueError, zlib.error):
        return None
    return content if reader.eof else None


def _asking(form: Form) -> str:
    return render_template("console/optouts/import.html", form=form, column=_PHONE)


def _preview(given: _List, form: Form) -> str:
    # What rows say for themselves is judged; the reason of the others is asked for with the preview.
    with given.opened("-") as (wanted, _):
        found = wanted.check()
        bad = list(islice(found, _MOST_SHOWN))
        rejected = len(bad) + sum(1 for _ in found)
        rows, would = wanted.rows, wanted.preview()
    return render_template(
        "console/optouts/preview.html",
        given=given,
        form=form,
        bad=bad,
        rejected=rejected,
        rows=rows,
        would=would,
        told=told,
        longest=LONGEST_REASON,
    )
