"""The forms that a proof is handed out in: a document for programs; a page and a PDF for people, with that inside."""

from enum import StrEnum

from receiver.vocabulary.proof import Document

from .proof import as_json


class ProofForm(StrEnum):
    JSON = "json"
    HTML = "html"
    PDF = "pdf"


MEDIA = {
    ProofForm.JSON: "application/json",
    ProofForm.HTML: "text/html; charset=utf-8",
    ProofForm.PDF: "application/pdf",
}


def rendered(document: Document, form: str) -> bytes:
    """The proof in this form, a value of ``ProofForm``. What a page or a PDF takes is loaded when one is made."""
    if form == ProofForm.JSON:
        return as_json(document).encode("ascii")
    if form == ProofForm.HTML:
        from .proof_page import render_page

        return render_page(document).encode("utf-8")
    from .proof_pdf import render_pdf

    return render_pdf(document)
