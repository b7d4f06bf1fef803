"""What convinces others: the proof of one subscriber's opt-outs, and the verification of the whole ledger."""

from flask import Response, abort, make_response, render_template, request

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.optout.proof import NothingKnown, prove
from receiver.optout.proof_check import check
from receiver.optout.proof_facts import sections
from receiver.optout.proof_forms import MEDIA, ProofForm, rendered
from receiver.optout.verify import verify
from receiver.store import ledger
from receiver.vocabulary.ledger import KEPT_HEAD
from receiver.vocabulary.proof import Document

from ...parts import parts
from ..forms import Form
from ..languages import gettext
from ..problems import told
from ..visitor import act
from .pages import pages, subscriber

_LONGEST_HASH = 200


@pages.get("/optouts/<int:event>/proof", needs=Permission.PROVE)
def proof(event: int) -> str:
    document = _proven(subscriber(event), "page")
    return render_template(
        "console/optouts/proof.html",
        event=event,
        proof=document,
        sections=list(sections(document)),
        outcome=check(document),
        forms=(ProofForm.PDF, ProofForm.HTML, ProofForm.JSON),
    )


@pages.get("/optouts/<int:event>/proof/<form>", needs=Permission.PROVE)
def download(event: int, form: str) -> Response:
    if form not in list(ProofForm):
        abort(404)
    content = rendered(_proven(subscriber(event), form), form)
    response = Response(content, content_type=MEDIA[ProofForm(form)])
    response.headers["Content-Disposition"] = f'attachment; filename="proof-{event}.{form}"'
    return response


@pages.get("/optouts/ledger", needs=Permission.PROVE)
def ledger_page() -> str:
    return _ledger(Form({}))


@pages.post("/optouts/ledger", needs=Permission.PROVE)
def verify_ledger() -> Response:
    """It changes nothing: what is found is shown, not kept."""
    form = Form(request.form)
    pinned = form.line("head", longest=_LONGEST_HASH, needed=False).lower()
    if pinned and not KEPT_HEAD.fullmatch(pinned):
        form.errors["head"] = gettext(
            "Write the 64 hexadecimal digits of a head that was kept, or its number and them, like 42:9af1…."
        )
    if form.errors:
        return make_response(_ledger(form), 422)
    found = verify(parts().store, pinned=pinned or None)
    return make_response(render_template("console/optouts/verified.html", found=found, pinned=pinned, told=told))


def _ledger(form: Form) -> str:
    with parts().store.reading() as transaction:
        sequence, head = ledger.head(transaction)
    return render_template("console/optouts/ledger.html", form=form, sequence=sequence, head=head)


def _proven(phone: str, form: str) -> Document:
    try:
        document = prove(parts().store, phone, parts().settings.default_region)
    except NothingKnown:
        abort(404)
    act(Action.PROOF_MADE, document["phone"], format=form).record(parts().store)
    return document
