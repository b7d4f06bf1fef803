"""What the gateway allows, and the code of each refusal (protocol.md §2–§7)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from .form import cut, utf_16_length
from .values import CHINA, Account

MOST_PHONES = 99
SHORT, SHORT_PHS, LONG = 60, 40, 240
LONGEST_CHECKED = 540
_LONGEST_EXTENSION, _LONGEST_SERVICE_NUMBER = 8, 16
_SHORTEST_PASSWORD, _LONGEST_PASSWORD = 5, 19

_MOBILE = re.compile(r"1[3-9][0-9]{9}")
# An area code (010, 02x, 0xxx), then seven or eight digits.
_PHS = re.compile(r"0(?:10|2[0-9]|[3-9][0-9]{2})[2-9][0-9]{6,7}")
_TIME = re.compile(r"[0-9]{12}")

MESSAGES = MappingProxyType(
    {
        0: "",
        6001: "企业帐号不存在",
        6002: "帐号已停用",
        6003: "密码错误",
        6004: "号码在保护名单中",
        6005: "内容含有禁用词",
        6006: "通道不能对该号码计费",
        6007: "该号码没有可用通道",
        6008: "号码无效",
        6009: "号码在黑名单中",
        6010: "鉴权失败",
        6011: "无权向该号码发送",
        6012: "帐号限制了IP地址",
        6013: "余额不足",
        6014: "内容为空",
        6015: "内容过长",
        6016: "密码长度须大于4位",
        6017: "余额查询失败",
        6018: "未开通SDK或试用期已过",
        6019: "接口已停止使用",
        6020: "接口仅限VIP客户使用",
        6021: "扩展号未登记",
        6022: "内容疑似SP业务",
    }
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What this gateway forbids. ``phones`` are refused each with its own code: 6004 protected, 6009 blacklisted …"""

    forbidden_words: Sequence[str] = ("代开发票",)
    sp_words: Sequence[str] = ("点播", "包月", "资费")
    """What premium services write; checkcontent.asp alone looks for it."""
    phones: Mapping[str, int] = field(default_factory=dict)

    def entrance(self, account: Account | None, password: str, allowed_from_here: bool) -> int:
        """0, or why this caller is not let in."""
        if account is None:
            return 6001
        if account.refusal is not None:
            return account.refusal
        if account.password != password:
            return 6003
        return 0 if allowed_from_here else 6012

    def phone(self, phone: str) -> int:
        """0, or why this phone gets nothing."""
        if not (_MOBILE.fullmatch(phone) or is_phs(phone)):
            return 6008
        return self.phones.get(phone, 0)

    def forbidden_word(self, text: str) -> str | None:
        return next((word for word in self.forbidden_words if word in text), None)

    def content(self, text: str) -> tuple[int, str]:
        """checkcontent.asp's judgement of ``text``: a code, and what it says about it (protocol.md §3)."""
        if not text.strip():
            return 6014, MESSAGES[6014]
        if utf_16_length(text) > LONGEST_CHECKED:
            return 6015, MESSAGES[6015]
        if word := self.forbidden_word(text):
            return 6005, word
        if word := next((word for word in self.sp_words if word in text), None):
            return 6022, f"疑似SP业务：含有“{word}”"
        return 0, ""


def phone_list(dst: str) -> tuple[list[str], str]:
    """The phones of ``dst``, and why the list as a whole is refused (6008), or nothing (protocol.md §2)."""
    phones = dst.split(",")
    if not all(phones):
        return [phone for phone in phones if phone], "号码列表有空项"
    if len(phones) > MOST_PHONES:
        return phones, "一次最多99个号码"
    if len({is_phs(phone) for phone in phones}) > 1:
        return phones, "小灵通须与手机分开发送"
    return phones, ""


def is_phs(phone: str) -> bool:
    return _PHS.fullmatch(phone) is not None


def is_extension(sender: str, account: Account) -> bool:
    """Whether ``sender`` may come after the account's service number (protocol.md §2)."""
    return (
        account.extensions
        and re.fullmatch("[0-9]+", sender) is not None
        and len(sender) <= _LONGEST_EXTENSION
        and len(account.service_number) + len(sender) <= _LONGEST_SERVICE_NUMBER
    )


def as_sent(text: str, *, phs: bool, long: bool) -> tuple[str, int]:
    """What is left of ``text`` once it is cut to what fits, and how many texts it counts for (protocol.md §2)."""
    part = SHORT_PHS if phs else SHORT
    text = cut(text, LONG if long else part)
    return text, -(-utf_16_length(text) // part)


def scheduled_time(written: str, now: datetime) -> datetime | None:
    """When a text with this ``time`` is sent; None is at once: none given, malformed, or past (protocol.md §2)."""
    if not _TIME.fullmatch(written):
        return None
    try:
        moment = datetime.strptime(written, "%Y%m%d%H%M").replace(tzinfo=CHINA).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment > now else None


def is_password(new: str) -> bool:
    """Whether cpwd.asp takes it (protocol.md §6)."""
    return _SHORTEST_PASSWORD <= utf_16_length(new) <= _LONGEST_PASSWORD
