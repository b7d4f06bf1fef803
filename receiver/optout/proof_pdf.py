"""A proof as a PDF to read, print and file, with the whole proof attached for ``check-proof``.

The font is embedded, so that Chinese shows everywhere; the libraries are loaded when a PDF is made or read.
"""

import io
import logging
from datetime import datetime
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from receiver.vocabulary.proof import Document

from .proof import as_json
from .proof_facts import Fact, Section, sections, shown

if TYPE_CHECKING:
    from fpdf import FPDF

_log = logging.getLogger(__name__)

ATTACHED = "proof.json"
_FONT = "wenquanyi-micro-hei"
# The faces of the font's file: proportional, and of one width.
_FACES = {_FONT: 0, _FONT + "-mono": 1}
_GREY, _BLACK = 95, 20
_NAME_WIDTH = 44


def render_pdf(document: Document) -> bytes:
    """The PDF, whose attachment ``proof.json`` is the proof itself."""
    pdf = _opened(document)
    pdf.add_page()
    _line(pdf, "退订证明  Proof of opt-out", 18)
    _line(pdf, document["phone"], 12)
    for section in sections(document):
        _section(pdf, section)
    _how_to_check(pdf, document["how_to_check"])
    pdf.embed_file(
        basename=ATTACHED, bytes=as_json(document).encode(), desc="The proof itself", mime_type="application/json"
    )
    return bytes(pdf.output())


def attached_to_pdf(file: bytes) -> str | None:
    """The JSON attached to a PDF; None where there is none, or more than one, or the file can't be read."""
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        found = PdfReader(io.BytesIO(file)).attachments.get(ATTACHED, [])
        return found[0].decode("utf-8") if len(found) == 1 else None
    except Exception as error:  # a broken file makes the reader stumble in ways that it does not name
        _log.warning("the PDF can't be read: %s", type(error).__name__)
        return None


def _opened(document: Document) -> "FPDF":
    from fpdf import FPDF

    pdf = FPDF(format="A4")
    pdf.set_margin(16)
    pdf.set_auto_page_break(True, margin=18)
    pdf.set_title(f"退订证明 Proof of opt-out {document['phone']}")
    pdf.set_lang("zh-CN")
    pdf.set_creation_date(datetime.fromisoformat(document["made_at"]))
    with as_file(files("paperang_p2_fonts_cjk") / "fonts" / "wqy-microhei.ttc") as path:
        for family, face in _FACES.items():
            pdf.add_font(family, fname=path, collection_font_number=face)
    return pdf


def _section(pdf: "FPDF", section: Section) -> None:
    # A heading is not left alone at the end of a page.
    if pdf.will_page_break(24):
        pdf.add_page()
    pdf.ln(2 if section.minor else 4)
    _line(pdf, f"{section.title.zh}  {section.title.en}", 10.5 if section.minor else 13)
    if section.note:
        _line(pdf, section.note.zh, 9)
        _line(pdf, section.note.en, 9, grey=True)
    for fact in section.facts:
        _fact(pdf, fact)
    for sequence, digest, other in section.steps:
        _line(pdf, f"{sequence}  digest {digest}\n  other {other}", 6.5, mono=True)


def _fact(pdf: "FPDF", fact: Fact) -> None:
    pdf.set_font(_FONT, size=8.5)
    if pdf.will_page_break(6):
        pdf.add_page()
    top, page = pdf.get_y(), pdf.page
    pdf.set_text_color(_GREY)
    pdf.multi_cell(_NAME_WIDTH, 4.2, _drawable(pdf, f"{fact.name.zh} {fact.name.en}"), align="L")
    below = pdf.get_y()
    if pdf.page == page:
        pdf.set_xy(pdf.l_margin + _NAME_WIDTH, top)
    _text(pdf, fact.value, 8 if fact.exact else 8.5, mono=fact.exact)
    if pdf.page == page:
        pdf.set_y(max(below, pdf.get_y()))


def _how_to_check(pdf: "FPDF", how: dict[str, str]) -> None:
    pdf.ln(4)
    _line(pdf, "如何查验  How to check", 13)
    _line(pdf, how["zh"], 9)
    _line(pdf, how["en"], 9, grey=True)
    _line(pdf, f"完整的证明作为附件 {ATTACHED} 在本 PDF 中；查验的是它，请将其与上文对照。", 9)
    _line(
        pdf,
        f"The whole proof is attached to this PDF as {ATTACHED}; that is what is checked: compare it.",
        9,
        grey=True,
    )
    pdf.ln(2)
    for line in how["script"].splitlines():
        _line(pdf, line or " ", 7, mono=True)


def _line(pdf: "FPDF", text: str, size: float, *, mono: bool = False, grey: bool = False) -> None:
    pdf.set_x(pdf.l_margin)
    _text(pdf, text, size, mono=mono, grey=grey)


def _text(pdf: "FPDF", text: str, size: float, *, mono: bool = False, grey: bool = False) -> None:
    from fpdf.enums import WrapMode

    pdf.set_font(_FONT + "-mono" if mono else _FONT, size=size)
    pdf.set_text_color(_GREY if grey else _BLACK)
    # Chinese breaks anywhere, and so do hashes; English words stay whole.
    wrapped = WrapMode.WORD if text.isascii() and not mono else WrapMode.CHAR
    pdf.multi_cell(0, size * 0.5, _drawable(pdf, text), align="L", wrapmode=wrapped, new_x="LMARGIN", new_y="NEXT")


def _drawable(pdf: "FPDF", text: str) -> str:
    """``text`` with what the font lacks (an emoji) as its number: nothing is shown as an empty box."""
    has: Any = pdf.current_font.cmap  # type: ignore[union-attr]
    lines = (shown(line) for line in text.split("\n"))
    return "\n".join("".join(c if ord(c) in has else f"[U+{ord(c):04X}]" for c in line) for line in lines)
