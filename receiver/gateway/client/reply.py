"""One answer of readsms.asp, whose text may hold the very signs that part its fields (protocol.md §5)."""

import re
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote_to_bytes

from receiver.vocabulary import decode, phone_identity

from .answers import PulledReply
from .codes import MEANINGS
from .errors import Unreadable
from .fields import CODE, TEXT, Fields, is_escaped, named, segments
from .refusals import refusal

CHINA = timezone(timedelta(hours=8), "UTC+8")
_MSG = "msg"
_OTHERS = frozenset(["id", TEXT, "src", "dst", "time"])
_ID = re.compile(r"-?[0-9]{1,30}")
# What a field behind the text may look like, malformed though it is: else it is the text's own.
_PLAUSIBLE = {"dst": re.compile(r"[0-9+ -]{0,20}"), "time": re.compile(r"[0-9/:. -]{0,30}")}
# What the gateway may say with id 0 where nothing failed. Any other text is a failure: one that is taken for an empty
# inbox would end the pulling of replies, and so the unsubscribes, with nobody knowing.
_NOTHING_UNREAD = re.compile(
    r"(?:0|ok|none|null|success|成功|(?:no|no new|no unread|no more) (?:messages?|sms|repl(?:y|ies)|data|records?)"
    r"|(?:暂|暂时|目前|当前)?(?:没有|无)(?:新|新的|未读|未读的|更多|任何)?(?:短信息|短信|信息|消息|回复|上行|数据|记录))[.!。！]?",
    re.IGNORECASE,
)
# White space or digits in escapes about a word: nobody types these, and an unsubscribe must not hide behind them.
_ESCAPED_WORD = re.compile(rb"(?:%(?:20|0[09ADad]|3[0-9]))*[0-9A-Za-z]*(?:%(?:20|0[09ADad]|3[0-9]))*")


def parse_reply(body: bytes, charset: str = "gb18030", *, whole: bool = True) -> PulledReply | None:
    """The reply in ``body``; None where nothing is unread: ``id`` 0 with no error beside it.

    The fields come in any order, and the text may hold ``&`` and ``=``, even ``&dst=1`` (see ``_split``). Where it is
    not known to be ``whole``, its last field may be cut, and decides nothing (see ``_may_be_cut``). Raises Refusal, and
    Unreadable where there is no number, no text, nobody that it is from, or one of these may be cut; and where somebody
    says something under an ``id`` of 0: that is no empty inbox.
    """
    parts = segments(body)
    before, text, after = _split(parts)
    fields = before | after
    number, src, dst = _value(fields, "id"), _value(fields, "src"), _value(fields, "dst")
    if not _ID.fullmatch(number):
        raise Unreadable("the gateway's answer has no id", body)
    if int(number) <= 0:
        if text and text.strip() and (phone_identity(src) or phone_identity(dst)):
            raise Unreadable("the gateway's answer has a reply, and an id that says that there is none", body)
        _raise_failure(body, charset)
        return None
    if not src and phone_identity(dst):
        src, dst = dst, ""  # seen: the phone in dst (§5)
    if text is None or not src:
        raise Unreadable(f"the gateway's answer has no {_MSG if text is None else 'src'}", body)
    if not whole and _may_be_cut(parts[-1], fields, body):
        raise Unreadable("the gateway's answer may be cut: nothing tells where it ends", body)
    return PulledReply(number, src, dst, _in_escapes(text), _moment(_value(fields, "time")))


def _split(parts: list[bytes]) -> tuple[dict[str, bytes], bytes | None, dict[str, bytes]]:
    """The fields before the text, the text, and the fields behind it.

    The text begins at the first ``msg=``: only a text can hold a second one. Behind it stand the fields that did not
    stand before it, each once. So, from the end backwards, one of these is taken as a field where its value can be one;
    the first segment that is none ends it, and all up to there is text, whatever it looks like: ``&dst=1`` in a text
    before the real dst, or where dst stood first. Unknown fields are passed over only on the way to a known one.
    """
    pairs = [named(part) for part in parts]
    start = next((place for place, (name, _) in enumerate(pairs) if name == _MSG), len(parts))
    before = _chosen(pairs[:start])
    if start == len(parts):
        return before, None, {}
    after: dict[str, bytes] = {}
    passed: dict[str, bytes] = {}
    end = len(parts)
    for place in range(len(parts) - 1, start, -1):
        name, value = pairs[place]
        is_text = parts[place].strip() if not name else name == _MSG or name in before
        if is_text or name in after or name in passed:
            break
        if name in _OTHERS:
            passed[name] = value
            if _is_plausible(name, value):
                after |= passed
                passed, end = {}, place
    return before, b"&".join([pairs[start][1], *parts[start + 1 : end]]), after


def _may_be_cut(last: bytes, fields: dict[str, bytes], body: bytes) -> bool:
    """Whether the end of an answer without a length may be missing, with something that counts.

    Not where a line end follows. Nor, where the service number stands before, within the time: the reply is all there,
    when it was sent then is not known; nor within ``err``, which a reply does not have. Any other end may be one of a
    text, a phone, or a field's name.
    """
    if body.endswith((b"\r", b"\n")):
        return False
    return named(last)[0] not in ("time", TEXT) or "dst" not in fields


def _chosen(pairs: list[tuple[str, bytes]]) -> dict[str, bytes]:
    """Of each field that we know the first occurrence with a plausible value, or else the first."""
    chosen: dict[str, bytes] = {}
    for name, value in pairs:
        better = name not in chosen or (not _is_plausible(name, chosen[name]) and _is_plausible(name, value))
        if name in _OTHERS and better:
            chosen[name] = value
    return chosen


def _is_plausible(name: str, value: bytes) -> bool:
    pattern = _PLAUSIBLE.get(name)
    return pattern is None or pattern.fullmatch(_plain(value)) is not None


def _value(fields: dict[str, bytes], name: str) -> str:
    return _plain(fields.get(name, b""))


def _plain(value: bytes) -> str:
    """A number or phone without its escapes; a ``+`` stays one, since ``%2B86…`` and ``+86…`` are both seen."""
    return decode(unquote_to_bytes(value)).text.strip()


def _raise_failure(body: bytes, charset: str) -> None:
    """Raise what an answer without a reply failed for, if it did."""
    fields = Fields.of(body, _OTHERS | {_MSG, CODE}, whole=True)
    message, code = fields.text(TEXT, charset), fields.code()
    if not code and message in map(str, MEANINGS):
        code = int(message)
    if code or not (message == "" or _NOTHING_UNREAD.fullmatch(message)):
        raise refusal(code or 0, message)


def _in_escapes(text: bytes) -> bytes:
    """The text as ``vocabulary.wire.read_text`` expects it: in escapes, which a literal one is given."""
    if is_escaped(text) or (b"%" in text and _ESCAPED_WORD.fullmatch(text)):
        return text
    return text.replace(b"%", b"%25").replace(b"+", b"%2B")


def _moment(written: str) -> datetime | None:
    """``YYYYMMDDHHMM`` in China's time, as UTC; None for anything else."""
    if not re.fullmatch("[0-9]{12}", written):
        return None
    try:
        return datetime.strptime(written, "%Y%m%d%H%M").replace(tzinfo=CHINA).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
