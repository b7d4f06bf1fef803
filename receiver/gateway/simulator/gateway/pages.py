"""The gateway's five pages: from a call's parameters to what it does and answers (protocol.md §2–§7)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from .faults import Kind
from .form import encoded
from .rules import MESSAGES, Rules, as_sent, is_extension, is_password, is_phs, phone_list, scheduled_time
from .state import State
from .values import CHINA, Account, Inbound, Page, Sent


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as a page sees it."""

    number: int
    page: Page
    parameters: Mapping[str, str]
    peer: str
    now: datetime
    quirks: Collection[Kind] = ()
    """Faults that are the page's own: DUPLICATE, EMPTY_SRC."""


@dataclass(slots=True)
class Answered:
    """A page's answer: its fields in the order of protocol.md, the code in them, and what came of it."""

    code: int
    fields: list[tuple[str, bytes]]
    sent: list[Sent]
    read: Inbound | None = None


class Pages:
    """Carries calls out on ``state`` by ``rules``, all of a call at once."""

    def __init__(self, state: State, rules: Rules, charset: str) -> None:
        self._state = state
        self._rules = rules
        self._charset = charset
        self._pages: dict[Page, Callable[[Asked, Account], Answered]] = {
            Page.SEND: self._send,
            Page.CHECK: self._check,
            Page.FEE: self._fee,
            Page.READ: self._read,
            Page.PASSWORD: self._password,
        }

    def carry_out(self, asked: Asked) -> Answered:
        with self._state.lock:
            account = self._state.accounts.get(asked.parameters.get("name", ""))
            code = self._rules.entrance(account, asked.parameters.get("pwd", ""), _may_call_from(asked.peer, account))
            if account is None or code:
                return self._turned_away(asked, code)
            return self._pages[asked.page](asked, account)

    def _turned_away(self, asked: Asked, code: int) -> Answered:
        if asked.page is Page.SEND:
            return self._not_sent(phone_list(asked.parameters.get("dst", ""))[0], code)
        if asked.page is Page.FEE:
            return self._answer(code, id="-9999", err=MESSAGES.get(code, ""), errid=str(code), short="")
        if asked.page is Page.READ:
            return self._no_reply(code, MESSAGES.get(code, ""))
        return self._answer(code, errid=str(code), err=MESSAGES.get(code, ""))

    def _send(self, asked: Asked, account: Account) -> Answered:
        said = asked.parameters
        phones, fault = phone_list(said.get("dst", ""))
        msg, sender = said.get("msg", ""), said.get("sender", "")
        if fault:
            return self._not_sent(phones, 6008, fault)
        if not msg.strip():
            return self._not_sent(phones, 6014)
        if sender and not is_extension(sender, account):
            return self._not_sent(phones, 6021)
        if word := self._rules.forbidden_word(msg):
            return self._not_sent(phones, 6005, word)
        long = said.get("txt", "").strip().lower() == "ccdx" and account.long_texts
        text, cost = as_sent(msg, phs=is_phs(phones[0]), long=long)
        codes = {phone: self._rules.phone(phone) for phone in phones}
        accepted = [phone for phone in phones if codes[phone] == 0]
        refused = [phone for phone in phones if codes[phone] != 0]
        code = codes[refused[0]] if refused else 0
        if not accepted:
            return self._not_sent(phones, code)
        if cost * len(accepted) > account.balance:
            return self._not_sent(phones, 6013)
        self._state.charge(account.name, cost * len(accepted))
        scheduled = scheduled_time(said.get("time", ""), asked.now)
        source = account.service_number + sender
        at = scheduled or asked.now
        sent = [Sent(at, phone, text, source, scheduled, account.name, asked.number) for phone in accepted]
        for one in sent:
            self._state.send(one)
        return self._answer(
            code,
            num=str(len(accepted)),
            success=",".join(accepted),
            faile=",".join(refused),
            err=MESSAGES.get(code, "") or "发送成功",
            errid=str(code),
            sent=sent,
        )

    def _not_sent(self, phones: list[str], code: int, err: str = "") -> Answered:
        err = err or MESSAGES.get(code, "")
        return self._answer(code, num="0", success="", faile=",".join(phones), err=err, errid=str(code))

    def _check(self, asked: Asked, _account: Account) -> Answered:
        code, err = self._rules.content(asked.parameters.get("content", ""))
        return self._answer(code, errid=str(code), err=err)

    def _fee(self, _asked: Asked, account: Account) -> Answered:
        return self._answer(0, id=str(account.balance), err="", errid="0", short=account.short_name)

    def _read(self, asked: Asked, account: Account) -> Answered:
        if self._state.is_too_soon(account.name, asked.now):
            return self._no_reply(None, "读取间隔须大于5秒")
        reply = self._state.take_reply(account.name, keep=Kind.DUPLICATE in asked.quirks)
        if reply is None:
            return self._no_reply(0, "")
        src, dst = ("", reply.src) if Kind.EMPTY_SRC in asked.quirks else (reply.src, reply.dst)
        answer = self._answer(0, id=reply.gateway_id, err="", src=src, msg="", dst=dst, time=_china(reply.at))
        answer.fields = [(name, reply.raw if name == "msg" else value) for name, value in answer.fields]
        answer.read = reply
        return answer

    def _no_reply(self, code: int | None, err: str) -> Answered:
        return self._answer(code or 0, id="0", err=err, src="", msg="", dst="", time="")

    def _password(self, asked: Asked, account: Account) -> Answered:
        new = asked.parameters.get("newpwd", "")
        code = 0 if is_password(new) else 6016
        if code == 0:
            self._state.change_password(account.name, new)
        return self._answer(code, errid=str(code), err=MESSAGES[code])

    def _answer(self, code: int, *, sent: list[Sent] | None = None, **fields: str) -> Answered:
        return Answered(code, [(name, encoded(value, self._charset)) for name, value in fields.items()], sent or [])


def _may_call_from(peer: str, account: Account | None) -> bool:
    if account is None or not account.networks:
        return True
    return any(ip_address(peer) in network for network in account.networks)


def _china(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime("%Y%m%d%H%M")
