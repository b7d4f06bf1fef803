"""What the gateway's short answers say, or the error that they are (protocol.md §2, §3, §4, §6)."""

from .answers import Balance, ContentVerdict, SendAnswer
from .errors import Unreadable
from .fields import CODE, TEXT, Fields
from .refusals import refusal

ALLOWED, FORBIDDEN, LIKE_A_PREMIUM_SERVICE = 0, 6005, 6022
_NO_BALANCE = -9999


def parse_send(body: bytes, charset: str, *, whole: bool) -> SendAnswer:
    """The answer of gsend.asp. ``whole``: HTTP told the body's length, and it is all there.

    ``num`` decides. Raises Refusal where it is 0, Unreadable where it can't be relied on or contradicts the lists: a
    phone that we took for refused would be texted again.
    """
    fields = Fields.of(body, {"num", "success", "faile", TEXT, CODE}, whole=whole)
    num, accepted, refused = fields.number("num"), fields.phones("success"), fields.phones("faile")
    if len(accepted) > num or not set(accepted).isdisjoint(refused):
        raise Unreadable("the gateway's answer contradicts itself", body)
    try:
        code = fields.code()
    except Unreadable:  # it only explains what num has decided
        code = None
    message = fields.text(TEXT, charset)
    if num == 0:
        raise refusal(code or 0, message)
    return SendAnswer(num, accepted, refused, code, message)


def parse_content(body: bytes, charset: str, *, whole: bool) -> ContentVerdict:
    """The answer of checkcontent.asp. Raises Refusal for a code that is no verdict on the text, and Unreadable."""
    code, message = _code(body, charset, whole=whole)
    if code in (ALLOWED, FORBIDDEN, LIKE_A_PREMIUM_SERVICE):
        return ContentVerdict(code == ALLOWED, code, message)
    raise refusal(code, message)


def parse_change(body: bytes, charset: str, *, whole: bool) -> None:
    """The answer of cpwd.asp. Raises Refusal, Unreadable."""
    code, message = _code(body, charset, whole=whole)
    if code != 0:
        raise refusal(code, message)


def parse_balance(body: bytes, charset: str, *, whole: bool) -> Balance:
    """The answer of getfee.asp. Raises Refusal, Unreadable."""
    fields = Fields.of(body, {"id", "short", TEXT, CODE}, whole=whole)
    amount, code = fields.number("id"), fields.code()
    if amount == _NO_BALANCE or code:
        raise refusal(code or 0, fields.text(TEXT, charset))
    if code is None and not whole:
        raise Unreadable(f"the gateway's answer may be cut: it has no {CODE}", body)
    return Balance(amount, fields.text("short", charset))


def _code(body: bytes, charset: str, *, whole: bool) -> tuple[int, str]:
    fields = Fields.of(body, {TEXT, CODE}, whole=whole)
    code = fields.code()
    if code is None:
        raise Unreadable(f"the gateway's answer has no {CODE}", body)
    return code, fields.text(TEXT, charset)
