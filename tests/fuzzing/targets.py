"""What a fuzzer calls with bytes of its own: each raises where one of our rules doesn't hold for them."""

import re
from collections.abc import Callable
from typing import Any

from gunicorn.config import Config
from gunicorn.http.errors import NoMoreData, ParseException

from receiver.callback.request import LenientParser
from receiver.vocabulary import Charset, Delivery, Kind, Reading, Undeliverable, is_unsubscribe, keyword_set
from receiver.vocabulary.charset import decode
from receiver.vocabulary.identity import mask, mask_phones, phone_identity, phones_in
from receiver.vocabulary.parse import LONGEST_ADDRESS, parse, unsubscribing_phone, without_token
from receiver.vocabulary.wire import read_text, visible

_READINGS = [
    Reading(charset, region, keyword_set(), has_token)
    for charset in Charset
    for region in ("CN", "DE")
    for has_token in (False, True)
]
# The library takes German numbers that are longer than the 15 digits of E.164.
_E_164 = re.compile(r"\+[1-9][0-9]{4,17}")
_CHARSETS = tuple(Charset)
# As the callback sets them (receiver.server).
_CONFIG = Config()
for _name, _value in (
    ("permit_unconventional_http_method", True),
    ("casefold_http_method", True),
    ("limit_request_fields", 64),
    ("limit_request_field_size", 4_096),
    ("forwarded_allow_ips", ""),
):
    _CONFIG.set(_name, _value)
_MOST_REQUESTS = 20


def parse_(data: bytes) -> None:
    """Any query is a delivery whose every part was on the wire, or is kept whole with the reason why it is none."""
    reading, query = _READINGS[data[0] % len(_READINGS)] if data else _READINGS[0], data[1:]
    said = parse(query, reading)
    match said:
        case Delivery():
            assert said.raw in query
            assert said.text == visible(read_text(said.raw, reading.charset).text)
            assert said.text.encode().decode() == said.text
            assert "\x00" not in said.text + said.src + said.dst
            assert len(said.src_wire) <= LONGEST_ADDRESS
            # Other ways to read its bytes may say stop where the text does not, never the other way round.
            assert (said.kind is Kind.UNSUBSCRIBE) == reading.unsubscribes(said.raw)
            assert said.kind is Kind.UNSUBSCRIBE or not is_unsubscribe(
                read_text(said.raw, reading.charset).text, keyword_set()
            )
            assert phone_identity(said.src, reading.region) in (None, said.src)
        case Undeliverable():
            assert said.raw == query
            assert said.detail.isprintable()
            assert said.unsubscribes in (None, unsubscribing_phone(query, reading))
            assert said.unsubscribes is None or _E_164.fullmatch(said.unsubscribes)
    without_token(query)


def charset(data: bytes) -> None:
    """Any bytes are a text, which is what its charset makes of them, and can be stored."""
    wanted, raw = _CHARSETS[data[0] % len(_CHARSETS)] if data else Charset.AUTO, data[1:]
    read = decode(raw, wanted)
    assert read.charset is not Charset.AUTO
    assert wanted in (Charset.AUTO, read.charset) or raw.isascii()
    if read.certain and read.charset is Charset.UTF_8:
        assert read.text.encode() == raw
    if read.certain:
        assert "\ufffd" not in read.text or b"\xef\xbf\xbd" in raw or read.charset is Charset.GB18030
    assert decode(raw, read.charset).text == read.text
    wire = read_text(data, wanted).text
    assert visible(wire).encode().decode() == visible(wire)


class _Wire:
    """What a client sent, in pieces as a network hands them on; it reads nothing."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._data, self._piece = data, piece

    def recv(self, size: int) -> bytes:
        taken, self._data = self._data[: min(size, self._piece)], self._data[min(size, self._piece) :]
        return taken

    def sendall(self, _data: bytes) -> None:
        pass


def request(data: bytes) -> None:
    """Any bytes on a connection are requests with what was sent, or refused by the parser's own errors."""
    piece, sent = (1, 7, 64, 8_192)[data[0] % 4] if data else 1, data[1:]
    wire: Any = _Wire(sent, piece)
    parser = LenientParser(_CONFIG, wire, ("198.51.100.7", 4711))
    try:
        for _ in range(_MOST_REQUESTS):
            asked = next(parser)
            assert asked.query.encode("latin-1") in sent
            assert "\n" not in asked.method
            assert parser.unreader.head in sent
            asked.body.read(1_000)
    except (StopIteration, NoMoreData, ParseException):
        # Whatever was read is kept as it came, and the address is found in it.
        assert parser.unreader.head in sent
        assert parser.unreader.asked_for in sent
        assert isinstance(parser.unreader.forwarded_for, str)


def identity(data: bytes) -> None:
    """Any text is one phone in E.164 form or none, and no phone is left in words that were masked."""
    region, written = ("CN", "DE", "US")[data[0] % 3] if data else "CN", data[1:].decode("utf-8", "replace")
    found = phone_identity(written, region)
    if found is not None:
        assert _E_164.fullmatch(found)
        assert phone_identity(found, region) == found
        assert found not in mask(found)
    masked = mask_phones(written)
    # Neither an id's last part, nor what is left of two masked numbers that touch.
    assert not re.search(r"(?<![\w*-])1[3-9]\d{9}(?![\w*-])", masked)
    for phone in phones_in(written, region):
        assert phone_identity(phone, region) == phone


TARGETS: dict[str, Callable[[bytes], None]] = {
    "parse": parse_,
    "charset": charset,
    "request": request,
    "identity": identity,
}
"""By their names, which are those of the folders in ``tests/corpus`` too."""
