"""One reply: what came on the wire, how else it can be read, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from flask import Response, abort, make_response, render_template, request
from werkzeug.wrappers import Response as Redirection

from receiver.access import Act, Action
from receiver.access.roles import Permission
from receiver.export import Row
from receiver.intake.redecode import NoSuchMessage, Redecoded, Redecoding
from receiver.store import readings
from receiver.vocabulary import Charset
from receiver.vocabulary.identity import mask_phones
from receiver.vocabulary.wire import unescape

from ...parts import parts
from ..forms import Form
from ..notices import done
from ..optouts import words as register
from ..revealing import is_revealed
from ..visitor import act, person
from .pages import found, pages

_CHARSETS = (Charset.UTF_8, Charset.GB18030)
_OF_A_LINE = 16


@dataclass(frozen=True, slots=True)
class Line:
    """Some bytes, as numbers and as the ASCII characters among them."""

    offset: int
    numbers: str = field(repr=False)
    characters: str = field(repr=False)


@pages.get("/replies/<uuid:message_id>", needs=Permission.SEE)
def show(message_id: UUID) -> str:
    return _page(found(message_id))


@pages.post("/replies/<uuid:message_id>/redecode", needs=Permission.REDECODE)
def redecode(message_id: UUID) -> Response | Redirection:
    form = Form(request.form)
    charset = form.choice("charset", Charset)
    if charset is None:
        return make_response(_page(found(message_id), form), 422)

    def noted(changed: UUID) -> Act:
        return act(Action.MESSAGE_REDECODED, str(changed), charset=charset.value)

    try:
        read = _redecoding().one(message_id, charset, actor=person().name, notes=noted)
    except NoSuchMessage:
        abort(404)
    return done("redecoded-stop" if read.stopped else "redecoded", "console.replies.show", message_id=message_id)


def lines(content: bytes) -> Sequence[Line]:
    """A dump of ``content``."""
    return [_line(offset, content[offset : offset + _OF_A_LINE]) for offset in range(0, len(content), _OF_A_LINE)]


def _line(offset: int, part: bytes) -> Line:
    return Line(offset, part.hex(" "), "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in part))


def _page(message: Row, form: Form | None = None) -> str:
    raw: bytes = message["raw"]
    is_whole = is_revealed(Action.MESSAGES_READ, str(message["id"]))
    others = [(charset, _redecoding().read(message, charset)) for charset in _CHARSETS]
    with parts().store.reading() as transaction:
        earlier = readings.of_message(transaction, message["id"])
    return render_template(
        "console/replies/show.html",
        message=message,
        form=form or Form({}),
        is_whole=is_whole,
        readings=[(charset, read) for charset, read in others if read.changed],
        # Bytes that hold a phone are shown to who may see it.
        is_veiled=not is_whole and _holds_a_phone(raw, others),
        wire=raw.decode("latin-1"),
        lines=lines(unescape(raw)),
        earlier=earlier,
        known=parts().register.history(message["src"]),
        register=register,
    )


def _holds_a_phone(raw: bytes, others: Sequence[tuple[Charset, Redecoded]]) -> bool:
    shown = [raw.decode("latin-1"), unescape(raw).decode("latin-1")]
    return any(mask_phones(each) != each for each in [*shown, *(read.after["text"] for _, read in others)])


def _redecoding() -> Redecoding:
    return Redecoding(parts().store, parts().settings.reading)
