"""A proof's facts as people read them, in Chinese and English: what its page and its PDF both show."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from receiver.vocabulary.proof import READINGS, Document, cause_of

_CHINA = timezone(timedelta(hours=8))
# What would turn a line around, or is seen by nobody.
_HIDDEN = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp"])


@dataclass(frozen=True, slots=True)
class Words:
    """One thing in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A named value; ``exact`` ones (hashes, bytes) are set in a fixed width and broken anywhere."""

    name: Words
    value: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its facts, and the steps of a path where it has one."""

    title: Words
    facts: tuple[Fact, ...] = ()
    steps: tuple[tuple[str, str, str], ...] = ()
    note: Words | None = None
    minor: bool = False


_EVENTS = {
    "opted_out": Words("退订生效", "Opted out"),
    "repeated": Words("再次要求退订", "Asked to stop once more"),
    "service_cancelled": Words("业务取消", "Service cancelled"),
    "lifted": Words("退订解除", "Opt-out lifted"),
    "send_blocked": Words("发送被拦截", "Send blocked"),
    "imported": Words("导入", "Imported"),
    "exported": Words("导出", "Exported"),
    "erased": Words("删除", "Erased"),
}
_NAMES = {
    "actor": Words("操作者", "by"),
    "cancelled_at": Words("取消时间", "cancelled at"),
    "cancelled_by": Words("取消依据", "cancelled by"),
    "charset": Words("字符集判定", "charset decision"),
    "detail": Words("详情", "detail"),
    "dst": Words("特服号", "service number"),
    "duplicate_of": Words("疑似重复于", "suspected duplicate of"),
    "gateway_id": Words("网关编号", "number at the gateway"),
    "kind": Words("类别", "kind"),
    "message_id": Words("短信编号", "message"),
    "origin": Words("来路", "origin"),
    "peer": Words("推送来源地址", "delivered from"),
    "quarantine_id": Words("隔离编号", "quarantined delivery"),
    "raw_base64": Words("原始字节（base64）", "the same as base64"),
    "raw_sha256": Words("原始字节 SHA-256", "their SHA-256"),
    "raw_text": Words("线路上的原始内容", "as on the wire"),
    "reason": Words("原因", "reason"),
    "received_at": Words("到达时间", "arrived at"),
    "redecoded_at": Words("重新解码的时间", "decoded anew at"),
    "redecoded_by": Words("重新解码者", "decoded anew by"),
    "replayed_at": Words("重放时间", "replayed at"),
    "sent_at": Words("手机发送时间", "sent by the phone at"),
    "service": Words("业务", "service"),
    "since": Words("起始时间", "since"),
    "source": Words("来源", "source"),
    "src": Words("号码", "phone"),
    "src_wire": Words("线路上的号码", "phone as written"),
    "text": Words("内容", "text"),
    "unsubscribes": Words("退订的号码", "phone that stops"),
}
_EXACT = {"raw_text", "raw_base64", "raw_sha256", "message_id", "quarantine_id", "cancelled_by", "duplicate_of"}
_TIMES = {"received_at", "redecoded_at", "sent_at", "since", "cancelled_at", "replayed_at"}


def sections(document: Document) -> Iterator[Section]:
    """All that ``document`` says but its script, in the order in which an auditor asks."""
    yield _summary(document)
    told: set[str] = set()
    for entry in document["events"]:
        event = entry["event"]
        yield _event(entry)
        cause = cause_of(event)
        if cause is not None and cause not in told:
            told.add(cause)
            yield _message(cause, document["causes"][cause])
            yield from _earlier_readings(document["causes"][cause])
    for row in document["subscriptions"]:
        yield Section(Words("订用的业务", "Service subscribed to"), tuple(_facts(row)), minor=True)
    answer = document["answer"]
    yield Section(Words("何时回答网关", "When the gateway was answered"), note=Words(answer["zh"], answer["en"]))
    yield from _paths(document)


def moment(text: str | None) -> str:
    """A moment for both readers: China's time, then UTC as it is stored."""
    if text is None:
        return "—"
    return f"{datetime.fromisoformat(text).astimezone(_CHINA):%Y-%m-%d %H:%M:%S} (UTC+8) · {text}"


def shown(text: str) -> str:
    """``text`` with each character that can't be seen, or would move others, as its number."""
    return "".join(f"[U+{ord(char):04X}]" if unicodedata.category(char) in _HIDDEN else char for char in text)


def _summary(document: Document) -> Section:
    state, head = document["state"], document["head"]
    now = f"已退订 / opted out · {moment(state['since'])}" if state["opted_out"] else "未退订 / not opted out"
    return Section(
        Words("结论", "Summary"),
        (
            Fact(Words("手机号码", "phone"), shown(document["phone"])),
            Fact(Words("当前状态", "state now"), now),
            Fact(Words("本证明生成于", "proof made at"), moment(document["made_at"])),
            Fact(Words("账本末端编号", "head of the ledger, event"), str(head["sequence"])),
            Fact(Words("账本末端哈希", "head of the ledger, hash"), head["hash"], exact=True),
            Fact(Words("本证明的指纹", "this proof's fingerprint"), document["fingerprint"], exact=True),
        ),
    )


def _event(entry: dict[str, Any]) -> Section:
    event = entry["event"]
    what = _EVENTS.get(event["type"], Words(event["type"], event["type"]))
    own = {name: event[name] for name in ("actor", "message_id", "raw_sha256")}
    return Section(
        Words(f"事件 {event['sequence']}：{what.zh}", f"Event {event['sequence']}: {what.en}"),
        (
            Fact(Words("时间", "at"), moment(event["at"])),
            *_facts(event["detail"]),
            *_facts(own),
            Fact(Words("前一哈希", "hash before it"), entry["previous"], exact=True),
            Fact(Words("跳跃哈希", "hash skipped to"), entry["skipped"], exact=True),
            Fact(Words("哈希", "hash"), entry["hash"], exact=True),
        ),
    )


def _message(identity: str, cause: dict[str, Any]) -> Section:
    kept = cause["from"] == "quarantine"
    title = Words(f"{'隔离的短信' if kept else '短信'} {identity}", "Quarantined delivery" if kept else "The SMS")
    if cause["purged"]:
        gone = Words("原文已清除，账本中保留其 SHA-256。", "It is no longer stored; the ledger keeps its SHA-256.")
        return Section(title, note=gone, minor=True)
    said = {name: value for name, value in cause.items() if name not in ("from", "purged", READINGS)}
    return Section(title, tuple(_facts(_with_doubt(said))), minor=True)


def _earlier_readings(cause: dict[str, Any]) -> Iterator[Section]:
    for reading in cause.get(READINGS, ()):
        until = moment(reading["at"])
        title = Words(f"此前的解读，至 {until}", f"How it was read until {until}")
        yield Section(title, tuple(_facts(_with_doubt({**reading, "at": None}))), minor=True)


def _with_doubt(said: dict[str, Any]) -> dict[str, Any]:
    """What is known of a message, with whether its charset is certain in one word with that."""
    doubt = {True: " · 确定 / certain", False: " · 存疑 / doubtful"}.get(said.get("charset_certain", ...), "")
    charset = {"charset": said["charset"] + doubt} if said.get("charset") else {}
    return {name: value for name, value in {**said, **charset}.items() if name != "charset_certain"}


def _paths(document: Document) -> Iterator[Section]:
    note: Words | None = Words("仅含摘要，不透露他人信息。", "Digests only: they reveal nothing of other people.")
    for start, steps in [
        (0, document["start"]),
        *((one["event"]["sequence"], one["path"]) for one in document["events"]),
    ]:
        if steps:
            way = f"{start} → {steps[-1]['sequence']}"
            table = tuple((str(step["sequence"]), step["digest"], step["other"]) for step in steps)
            yield Section(Words(f"哈希路径：{way}", f"Hash path: {way}"), (), table, note, minor=True)
            note = None


def _facts(values: dict[str, Any]) -> Iterator[Fact]:
    for name, value in values.items():
        if value is not None:
            words = _NAMES.get(name, Words(shown(name), ""))
            text = moment(value) if name in _TIMES else shown(value if isinstance(value, str) else str(value))
            yield Fact(words, text, exact=name in _EXACT)
