"""How far an export is, beside its download, which stays the browser's own."""

from uuid import UUID

from flask import render_template, request

from receiver.access.roles import Permission

from ..parts import parts
from ..progress import Progress, State
from .routes import Pages
from .visitor import person

pages = Pages("exports")

FIELD = "progress"


@pages.get("/exports/<uuid:export_id>", needs=Permission.EXPORT)
def show(export_id: UUID) -> str:
    """A part of a page, which asks for itself again until the export has ended."""
    standing = _progress(export_id).standing()
    return render_template("console/export.html", export_id=export_id, standing=standing, states=State)


def asked_progress() -> Progress | None:
    """How far the export that this form asks for is to be told; None where nobody asks: a browser without scripts."""
    try:
        return _progress(UUID(request.form.get(FIELD, "")))
    except ValueError:
        return None


def _progress(export_id: UUID) -> Progress:
    # Each person's own: nobody else learns of it, and nobody can meddle with its count.
    return Progress(parts().windows, f"{person().id}:{export_id}")
