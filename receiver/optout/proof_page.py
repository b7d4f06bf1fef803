"""A proof as one HTML file to read and to print, with the whole proof inside it for ``check-proof``."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from receiver.vocabulary.proof import Document

from .proof import as_json
from .proof_facts import sections

_OPENING = '<script type="application/json" id="receiver-optout-proof">'
_EMBEDDED = re.compile(re.escape(_OPENING) + "(.*?)</script>", re.DOTALL)


def render_page(document: Document) -> str:
    """The page: it asks for nothing from elsewhere, and runs nothing."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
    )
    # JSON in a script element ends at "</": escaped as JSON allows, no text can end it or open another.
    embedded = as_json(document).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    script = Markup(f"{_OPENING}{embedded}</script>")  # nosec B704
    return environment.get_template("proof.html").render(
        proof=document, sections=list(sections(document)), embedded=script
    )


def embedded_in_page(page: str) -> str | None:
    """The JSON inside a page that ``render_page`` made; None where there is none, or more than one."""
    found = _EMBEDDED.findall(page)
    return found[0] if len(found) == 1 else None
