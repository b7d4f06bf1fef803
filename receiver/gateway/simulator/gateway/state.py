"""What the simulated gateway knows and did: accounts, texts sent, replies unread; changed under one lock."""

import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from .values import Account, Call, Inbound, Page, Sent, Violation

# protocol.md §5: more than this between an answer and the next readsms.asp call.
BETWEEN_READS = timedelta(seconds=5)
# The number of the first reply, as in protocol.md §5.
_FIRST_REPLY = 9586


class State:
    """Everything is changed and read while ``lock`` is held."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self.lock = threading.RLock()
        self.accounts = {account.name: account for account in accounts}
        self.sent: list[Sent] = []
        self.calls: list[Call] = []
        self.replies: list[Inbound] = []
        self.violations: list[Violation] = []
        self.after_stop: list[Sent] = []
        self._unread: dict[str, list[Inbound]] = {}
        self._answered: dict[str, datetime] = {}
        self._stopped: set[str] = set()
        self._next_call = 0

    def new_call(self) -> int:
        with self.lock:
            self._next_call += 1
            return self._next_call - 1

    def charge(self, name: str, texts: int) -> None:
        self.accounts[name] = replace(self.accounts[name], balance=self.accounts[name].balance - texts)

    def change_password(self, name: str, new: str) -> None:
        self.accounts[name] = replace(self.accounts[name], password=new)

    def send(self, sent: Sent) -> None:
        self.sent.append(sent)
        if sent.phone in self._stopped:
            self.after_stop.append(sent)

    def hear(self, at: datetime, src: str, dst: str, raw: bytes, account: str) -> Inbound:
        """A phone replied: the reply has a number from now on."""
        reply = Inbound(str(_FIRST_REPLY + len(self.replies)), at, src, dst, raw, account)
        self.replies.append(reply)
        return reply

    def put_in_inbox(self, reply: Inbound) -> None:
        self._unread.setdefault(reply.account, []).append(reply)

    def take_reply(self, account: str, *, keep: bool) -> Inbound | None:
        """The account's oldest unread reply, from now on read unless ``keep``."""
        unread = self._unread.get(account)
        if not unread:
            return None
        reply = unread[0] if keep else unread.pop(0)
        return reply

    def unread(self, account: str) -> int:
        return len(self._unread.get(account, ()))

    def handed_over(self, reply: Inbound) -> None:
        """The enterprise has the reply. Who said 0000 may be sent nothing from now on (protocol.md §1)."""
        if reply.raw.strip() == b"0000":
            self._stopped.add(reply.src)

    def is_too_soon(self, account: str, now: datetime) -> bool:
        """Whether a readsms.asp call comes too soon after the last one's answer; then it is a violation."""
        last = self._answered.get(account)
        if last is None or now - last > BETWEEN_READS:
            return False
        self.violations.append(Violation(now, account, (now - last).total_seconds()))
        return True

    def answered(self, page: Page, account: str, at: datetime) -> None:
        """An answer goes out now: where it is one of readsms.asp, the next call must wait."""
        if page is Page.READ:
            self._answered[account] = max(at, self._answered.get(account, at))
