"""The gateway's error codes: what each means and what can be done about it, in both languages (protocol.md §7)."""

from dataclasses import dataclass
from enum import StrEnum


class Concern(StrEnum):
    """What a code is about: what has to change before the same call can succeed."""

    ACCOUNT = "account"
    TEXT = "text"
    PHONE = "phone"
    CHANNEL = "channel"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says. Trying again as it was is useful for none of them."""

    code: int
    english: str
    chinese: str
    advice_english: str
    advice_chinese: str
    concerns: Concern


def meaning_of(code: int) -> Meaning:
    """The meaning of ``code``. One that is not in the gateway's list keeps its number; 0 is a refusal without any."""
    return MEANINGS.get(code) or Meaning(
        code,
        "refused without a reason" if code == 0 else "a code that is not in the gateway's published list",
        "网关拒绝，未说明原因" if code == 0 else "网关公布的错误码表中没有此代码",
        "ask the gateway's operator, with the time of the call",
        "请联系网关服务商，并告知调用时间",
        Concern.UNKNOWN,
    )


_MEANINGS = (
    Meaning(
        6001,
        "no such enterprise",
        "企业用户不存在",
        "check RECEIVER_GATEWAY_NAME",
        "请检查 RECEIVER_GATEWAY_NAME",
        Concern.ACCOUNT,
    ),
    Meaning(
        6002,
        "the account is stopped",
        "帐号已停用",
        "ask the gateway's operator why, and to open it again",
        "请联系网关服务商了解原因并重新开通",
        Concern.ACCOUNT,
    ),
    Meaning(
        6003,
        "wrong password",
        "密码错误",
        "check RECEIVER_GATEWAY_PASSWORD, or the file that RECEIVER_GATEWAY_PASSWORD_FILE names",
        "请检查 RECEIVER_GATEWAY_PASSWORD，或 RECEIVER_GATEWAY_PASSWORD_FILE 所指的文件",
        Concern.ACCOUNT,
    ),
    Meaning(
        6004,
        "the phone is on the protected list",
        "号码在受保护名单中",
        "leave this phone out: nobody may text it",
        "请去掉该号码：任何人都不得向其发送",
        Concern.PHONE,
    ),
    Meaning(
        6005,
        "the text has forbidden words",
        "内容含有禁用词语",
        'change the text; "receiver gateway check" names one of the words at a time',
        "请修改内容；receiver gateway check 每次指出一个禁用词语",
        Concern.TEXT,
    ),
    Meaning(
        6006,
        "the channel can't bill this phone",
        "通道无法对该号码计费",
        "leave this phone out, or ask the gateway's operator for another channel",
        "请去掉该号码，或请网关服务商更换通道",
        Concern.CHANNEL,
    ),
    Meaning(
        6007,
        "there is no channel for this phone",
        "没有可到达该号码的通道",
        "leave this phone out, or ask the gateway's operator for a channel to its network",
        "请去掉该号码，或请网关服务商开通到该网络的通道",
        Concern.CHANNEL,
    ),
    Meaning(
        6008,
        "invalid phone",
        "号码无效",
        "correct the number or leave it out",
        "请更正或去掉该号码",
        Concern.PHONE,
    ),
    Meaning(
        6009,
        "the phone is on the blacklist",
        "号码在黑名单中",
        "leave this phone out: its owner does not want texts",
        "请去掉该号码：机主不愿接收短信",
        Concern.PHONE,
    ),
    Meaning(
        6010,
        "authentication failed",
        "身份验证失败",
        "check RECEIVER_GATEWAY_NAME and RECEIVER_GATEWAY_PASSWORD; some gateways need RECEIVER_GATEWAY_METHOD=get",
        "请检查 RECEIVER_GATEWAY_NAME 和 RECEIVER_GATEWAY_PASSWORD；有的网关需设 RECEIVER_GATEWAY_METHOD=get",
        Concern.ACCOUNT,
    ),
    Meaning(
        6011,
        "the account is not entitled to send to this phone",
        "无权向该号码发送",
        "leave this phone out, or ask the gateway's operator to extend the account",
        "请去掉该号码，或请网关服务商扩大帐号的发送范围",
        Concern.PHONE,
    ),
    Meaning(
        6012,
        "the account is limited to other IP addresses",
        "帐号限定了其他 IP 地址",
        "have the gateway's operator allow this machine's public address",
        "请网关服务商允许本机的公网地址",
        Concern.ACCOUNT,
    ),
    Meaning(
        6013,
        "the balance is too low",
        "余额不足",
        'top up the account; "receiver gateway balance" shows what is left',
        "请充值；receiver gateway balance 可查余额",
        Concern.ACCOUNT,
    ),
    Meaning(6014, "the text is empty", "内容为空", "write a text", "请填写内容", Concern.TEXT),
    Meaning(
        6015,
        "the text is too long",
        "内容过长",
        "shorten the text, or send it as a long SMS where the account has that",
        "请缩短内容；帐号已开通长短信的，可按长短信发送",
        Concern.TEXT,
    ),
    Meaning(
        6016,
        "the password must be longer than 4 characters",
        "密码须多于 4 个字符",
        "choose a longer password",
        "请换一个更长的密码",
        Concern.ACCOUNT,
    ),
    Meaning(
        6017,
        "the balance could not be looked up",
        "余额查询失败",
        "ask the gateway's operator",
        "请联系网关服务商",
        Concern.ACCOUNT,
    ),
    Meaning(
        6018,
        "the interface is not enabled for this account, or its trial has expired",
        "未开通接口（SDK），或试用已到期",
        "ask the gateway's operator to enable it",
        "请网关服务商开通",
        Concern.ACCOUNT,
    ),
    Meaning(
        6019,
        "the interface was withdrawn",
        "该接口已停止使用",
        "ask the gateway's operator which one takes its place",
        "请向网关服务商询问替代接口",
        Concern.CHANNEL,
    ),
    Meaning(
        6020,
        "the interface is for VIP customers only",
        "该接口仅供 VIP 客户使用",
        "ask the gateway's operator for access",
        "请向网关服务商申请",
        Concern.ACCOUNT,
    ),
    Meaning(
        6021,
        "the extension number is not registered",
        "扩展号码未登记",
        "leave the sender's extension digits out, or have them registered",
        "请不填扩展号码，或先向网关服务商登记",
        Concern.CHANNEL,
    ),
    Meaning(
        6022,
        "the text looks like a premium service's (SP) traffic",
        "内容疑似 SP 业务",
        "change the text by the rule that the gateway names",
        "请按网关指出的规则修改内容",
        Concern.TEXT,
    ),
)
MEANINGS = {meaning.code: meaning for meaning in _MEANINGS}
