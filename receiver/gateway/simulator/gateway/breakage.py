"""Breaks and deforms answers as the faults say."""

import random
from collections.abc import Collection, Sequence
from dataclasses import replace

from .faults import Fault, Kind
from .form import page
from .server import Response

# As a Chinese IIS writes them: in its own charset, whatever the page's.
_ERROR_500 = """<html><head><title>无法显示网页</title></head><body><font face="宋体" size=2>
<p>Microsoft VBScript 运行时错误</font> <font face="宋体" size=2>错误 '800a01a8'</font>
<p><font face="宋体" size=2>缺少对象: 'conn'</font>
<p><font face="宋体" size=2>/send/inc/conn.asp</font><font face="宋体" size=2>, 行12</font></body></html>
"""
# With a link in it that a careless reader takes for an answer.
_ERROR_PAGE = """<html><head><meta http-equiv="Content-Type" content="text/html; charset=gb2312">
<title>系统维护</title></head><body><h1>系统维护中，请稍后再试</h1>
<p><a href="/?num=1&id=0&errid=0">返回</a></p></body></html>
"""


def deformed(fields: Sequence[tuple[str, bytes]], kinds: Collection[Kind], charset: str, dice: random.Random) -> bytes:
    """The answer's body, in whatever form ``kinds`` give it."""
    fields = list(fields)
    if Kind.SHUFFLED in kinds:
        dice.shuffle(fields)
    if Kind.WRONG_CHARSET in kinds:
        other = "gb18030" if charset == "utf-8" else "utf-8"
        fields = [(name, value.decode(charset, "replace").encode(other, "replace")) for name, value in fields]
    if Kind.SPACED in kinds:
        return b"\r\n " + page(fields).replace(b"&", b"\r\n&") + b" \r\n\r\n"
    return page(fields)


def broken(response: Response, fault: Fault, dice: random.Random) -> Response:
    """``response`` as it comes out of ``fault``."""
    match fault.kind:
        case Kind.TIMEOUT:
            return replace(response, silent=True)
        case Kind.SLOW:
            return replace(response, delay=fault.seconds)
        case Kind.ERROR_500:
            return replace(response, body=_ERROR_500.encode("gbk"), status=500)
        case Kind.ERROR_PAGE:
            return replace(response, body=_ERROR_PAGE.encode("gbk"))
        case Kind.CUT_UNMARKED:
            return _ended(replace(response, length_told=False), fault, dice)
        case Kind.RESET:
            return _ended(replace(response, reset=True), fault, dice)
        case Kind.CUT:
            return _ended(response, fault, dice)
        case _:
            raise ValueError(f"{fault.kind} doesn't lose an answer")


def _ended(response: Response, fault: Fault, dice: random.Random) -> Response:
    """Never the whole: at most all but the last byte."""
    ending = replace(response, last=True)
    nothing, most = -len(ending.head()), len(ending.body) - 1
    if fault.before:
        return replace(ending, end=nothing)  # nothing was done, so there is no answer to send a part of
    return replace(ending, end=min(most, dice.randint(nothing, most) if fault.at is None else fault.at))
