"""The gateway as an object: one method for each of its calls (protocol.md §2 to §6)."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Literal, TypeVar

from . import request
from .answers import Balance, ContentVerdict, Fetched, PulledReply, SendAnswer
from .discreet import discreet, discreet_answer
from .errors import GatewayError, InDoubt, NotSent, NotTaken, Refusal, Unreadable
from .line import Line
from .parse import parse_balance, parse_change, parse_content, parse_send
from .reply import parse_reply
from .transport import Answer, Connection, Deadline, Site, connected, exchange

Method = Literal["auto", "post", "get"]
_CHARSETS = ("gb18030", "gbk", "utf-8")
_POST_NOT_TAKEN = (405, 501)
# What a gateway answers that looks for name and pwd in the query alone: no such enterprise, authentication failed.
_NAME_NOT_READ = (6001, 6010)
# It, or a refusal without a reason, does not tell whether the request was understood.
_TELLS_NOTHING = (0, *_NAME_NOT_READ)
_T = TypeVar("_T")
_Method = Literal["post", "get"]
_Parameters = Sequence[tuple[str, str]]
Observe = Callable[[str, int, GatewayError | None], None]
"""Told of a call: its page, how many nanoseconds it took, and what it failed with."""
_Exchange = Callable[[_Method, str, request.Form], Answer]


class Gateway:
    """An enterprise's account at the gateway. One object may serve several threads.

    ``url`` is the folder of its pages; ``charset`` gb18030, gbk or utf-8; ``timeout`` seconds of a call in all. With
    ``method`` auto calls are made by POST, so that no URL with the password comes into a log, and by GET where the
    gateway proves not to take POST. ``observe`` is told of each call that was made. Raises ValueError for what can't be
    one of these.

    Every call raises Unsendable, NotSent, InDoubt or Refusal (see errors.py); none is ever repeated by itself.
    """

    def __init__(
        self,
        url: str,
        name: str,
        password: str,
        *,
        charset: str = "gb18030",
        method: Method = "auto",
        timeout: float = 30.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        observe: Observe = lambda _page, _nanoseconds, _failure: None,
    ) -> None:
        if charset not in _CHARSETS or method not in ("auto", "post", "get") or timeout <= 0:
            raise ValueError(f"charset is one of {', '.join(_CHARSETS)}; method auto, post or get; timeout above 0")
        self._site = Site.of(url)
        self._name = name
        self._password = password
        self._charset = charset
        self._is_auto = method == "auto"
        self._method: _Method | None = None if method == "auto" else method
        self.timeout = timeout
        self._clock = clock
        self._observe = observe

    def __repr__(self) -> str:
        return f"<Gateway {self._name!r} at {self._site.authority}>"

    def send(
        self,
        phones: Sequence[str],
        text: str,
        *,
        at: datetime | None = None,
        sender: str | None = None,
        long: bool = False,
    ) -> SendAnswer:
        """Send ``text`` to fewer than 100 phones, each written as it goes on the wire, all mobiles or all PHS (§2).

        ``at``: when, with a zone; rounded up to a minute. ``sender``: 1 to 8 extension digits. ``long``: up to 240
        characters, where the account has that. It is one request: before the first the balance is asked for, where it
        is open yet whether the gateway takes POST.
        """
        fields = request.send_fields(phones, text, self._clock(), at=at, sender=sender, long=long)
        self._find_method()
        return self._sent(fields, self._within(Deadline(self.timeout)))

    def connect(self) -> Line:
        """A connection that stands, for one send, and the caller's to close: so that the send needs but be written.

        Takes ``timeout`` seconds at most, and as many before where the balance has to tell the method, as in ``send``.
        """
        self._find_method()
        connection = connected(self._site, Deadline(self.timeout))
        return Line(connection, partial(self._sent_on, connection), self._clock)

    def check_content(self, text: str) -> ContentVerdict:
        """Whether a text of at most 540 characters may be sent (§3)."""
        parameters = [("content", request.content_field(text))]
        return self._call("checkcontent.asp", parameters, partial(parse_content, charset=self._charset))

    def balance(self) -> Balance:
        """What is left on the account (§4)."""
        return self._call("getfee.asp", [], partial(parse_balance, charset=self._charset))

    def fetch_reply(self) -> Fetched:
        """The answer of readsms.asp as it came, for ``parse_reply``: a read is destructive, so keep it before (§5).

        Calls must be more than 5 seconds apart. Where it is open yet whether the gateway takes POST, the balance is
        asked before: an id of 0 would look like an empty inbox for ever where the name was not read.
        """
        self._find_method()
        with self._observed("readsms.asp"):
            answer = self._asked(self._method or "post", "readsms.asp", [], self._within(Deadline(self.timeout)))
        return Fetched(answer.body, answer.whole)

    def read_reply(self) -> PulledReply | None:
        """The next unread reply, or None; what can't be read is in Unreadable's ``body``, and nowhere else (§5)."""
        fetched = self.fetch_reply()
        try:
            return parse_reply(fetched.body, self._charset, whole=fetched.whole)
        except Refusal as said:
            said.message = discreet(said.message, self._password)
            raise

    def change_password(self, new: str) -> None:
        """Change the password to one of 5 to 19 ASCII characters (§6); in doubt, either may be valid."""
        self._call(
            "cpwd.asp", [("newpwd", request.new_password_field(new))], partial(parse_change, charset=self._charset)
        )
        self._password = new

    def _call(self, page: str, parameters: _Parameters, parse: Callable[..., _T]) -> _T:
        """Ask once, and where the gateway proves that it did not even read a POST, once more by GET.

        405, 501, 6001 and 6010 prove that nothing was carried out, so that this repeats nothing; and once a POST was
        understood, 6001 and 6010 mean what they say. No other answer leads to a second request.
        """
        ask = self._within(Deadline(self.timeout))
        with self._observed(page):
            if self._method is not None:
                return self._parsed(self._method, page, parameters, parse, ask)
            try:
                return self._parsed("post", page, parameters, parse, ask)
            except _PostNotTaken:
                pass
            except Refusal as said:
                if said.code not in _NAME_NOT_READ:
                    raise
            return self._parsed("get", page, parameters, parse, ask)

    @contextmanager
    def _observed(self, page: str) -> Iterator[None]:
        began = time.monotonic_ns()
        try:
            yield
        except GatewayError as failure:
            self._observe(page, time.monotonic_ns() - began, failure)
            raise
        self._observe(page, time.monotonic_ns() - began, None)

    def _sent_on(self, connection: Connection, fields: _Parameters, ready: Callable[[], None]) -> SendAnswer:
        deadline = Deadline(self.timeout)
        return self._sent(fields, lambda method, page, form: connection.ask(method, page, form, deadline, ready))

    def _sent(self, fields: _Parameters, ask: _Exchange) -> SendAnswer:
        """Ask once, by the method that is known: a send by POST that may be made again by GET would be two."""
        with self._observed("gsend.asp"):
            try:
                return self._parsed(
                    self._method or "post", "gsend.asp", fields, partial(parse_send, charset=self._charset), ask
                )
            except _PostNotTaken as untaken:
                if not self._is_auto:
                    raise
                self._method = "get"
                raise NotTaken(f"{untaken}; the next call is made by GET") from None

    def _within(self, deadline: Deadline) -> _Exchange:
        return lambda method, page, form: exchange(self._site, method, page, form, deadline)

    def _parsed(
        self, method: _Method, page: str, parameters: _Parameters, parse: Callable[..., _T], ask: _Exchange
    ) -> _T:
        answer = self._asked(method, page, parameters, ask)
        try:
            parsed = parse(answer.body, whole=answer.whole)
        except Unreadable as doubt:
            raise Unreadable(f"{page}: {doubt}", answer.body) from None
        except Refusal as said:
            said.message = discreet(said.message, *self._secrets(parameters))
            if said.code not in _TELLS_NOTHING:
                self._method = method
            raise
        self._method = method
        return discreet_answer(parsed, *self._secrets(parameters))

    def _secrets(self, parameters: _Parameters) -> tuple[str, ...]:
        """What no answer's words may repeat to anybody."""
        return self._password, *(value for name, value in parameters if name == "newpwd")

    def _asked(self, method: _Method, page: str, parameters: _Parameters, ask: _Exchange) -> Answer:
        login = [("name", self._name), ("pwd", self._password)]
        answer = ask(method, page, request.form([*login, *parameters], self._charset))
        if answer.status == 200:
            return answer
        why = f"{page}: the gateway answered HTTP {answer.status}"
        if method == "post" and answer.status in _POST_NOT_TAKEN:
            raise _PostNotTaken(f"{why}: it takes no POST; set RECEIVER_GATEWAY_METHOD=get", answer.body)
        raise Unreadable(why, answer.body)

    def _find_method(self) -> None:
        """Where it is open yet whether the gateway takes POST, ask for the balance: that harms nobody, made twice."""
        if self._method is not None:
            return
        try:
            self.balance()
        except Refusal:
            if self._method is None:
                raise
        except InDoubt as doubt:
            raise NotSent(
                f"nothing was asked for, since whether the gateway takes POST is not known: {doubt}; "
                "RECEIVER_GATEWAY_METHOD can say it"
            ) from None


class _PostNotTaken(Unreadable):
    pass
