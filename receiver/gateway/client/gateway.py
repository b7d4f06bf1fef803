"""The gateway as an object: one method for each of its calls (protocol.md §2 to §6)."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Literal, TypeVar

from . import request
from .answers import Balance, ContentVerdict, Fetched, PulledReply, SendAnswer
from .discreet import discreet, discreet_answer
from .errors import InDoubt, NotSent, Refusal, Unreadable
from .parse import parse_balance, parse_change, parse_content, parse_send
from .reply import parse_reply
from .transport import Answer, Deadline, Site, exchange

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


class Gateway:
    """An enterprise's account at the gateway. One object may serve several threads.

    ``url`` is the folder of its pages; ``charset`` gb18030, gbk or utf-8; ``timeout`` seconds of a call in all. With
    ``method`` auto a call is made by POST, so that no URL with the password comes into a log, and by GET where the
    gateway proves not to take POST. Raises ValueError for what can't be one of these.

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
    ) -> None:
        if charset not in _CHARSETS or method not in ("auto", "post", "get") or timeout <= 0:
            raise ValueError(f"charset is one of {', '.join(_CHARSETS)}; method auto, post or get; timeout above 0")
        self._site = Site.of(url)
        self._name = name
        self._password = password
        self._charset = charset
        self._method: _Method | None = None if method == "auto" else method
        self._post_was_not_taken = False
        self.timeout = timeout
        self._clock = clock

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
        ready: Callable[[], None] = lambda: None,
    ) -> SendAnswer:
        """Send ``text`` to fewer than 100 phones, each written as it goes on the wire, all mobiles or all PHS (§2).

        ``at``: when, with a zone; rounded up to a minute. ``sender``: 1 to 8 extension digits. ``long``: up to 240
        characters, where the account has that. ``ready`` is called right before the first byte of a request leaves, a
        second time before a GET that follows a POST which was not taken: what it raises (NotSent) ends the call.
        """
        parameters = [("dst", request.phones_field(phones)), ("msg", request.text_field(text, phones, long=long))]
        if at is not None:
            parameters.append(("time", request.time_field(at, self._clock())))
        if sender is not None:
            parameters.append(("sender", request.sender_field(sender)))
        if long:
            parameters.append(("txt", "ccdx"))
        return self._call("gsend.asp", parameters, partial(parse_send, charset=self._charset), ready)

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
        if self._method is None:
            self._find_method()
        answer = self._ask(self._method or "post", "readsms.asp", [], Deadline(self.timeout))
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

    def _call(
        self, page: str, parameters: _Parameters, parse: Callable[..., _T], ready: Callable[[], None] = lambda: None
    ) -> _T:
        """Ask once, and where the gateway proves that it did not even read a POST, once more by GET.

        405, 501, 6001 and 6010 prove that nothing was carried out, so that this repeats nothing; and once a POST was
        understood, 6001 and 6010 mean what they say. No other answer leads to a second request.
        """
        deadline = Deadline(self.timeout)
        if self._method is not None:
            return self._parsed(self._method, page, parameters, parse, deadline, ready)
        if not self._post_was_not_taken:
            try:
                return self._parsed("post", page, parameters, parse, deadline, ready)
            except _PostNotTaken:
                pass
            except Refusal as said:
                if said.code not in _NAME_NOT_READ:
                    raise
        # Remembered, in case this call ends before its GET: the next one need not post again.
        self._post_was_not_taken = True
        answer = self._parsed("get", page, parameters, parse, deadline, ready)
        self._post_was_not_taken = False
        return answer

    def _parsed(
        self,
        method: _Method,
        page: str,
        parameters: _Parameters,
        parse: Callable[..., _T],
        deadline: Deadline,
        ready: Callable[[], None],
    ) -> _T:
        answer = self._ask(method, page, parameters, deadline, ready)
        try:
            parsed = parse(answer.body, whole=answer.whole)
        except Unreadable as doubt:
            raise Unreadable(f"{page}: {doubt}", answer.body) from None
        except Refusal as said:
            said.message = discreet(said.message, *self._secrets(parameters))
            if said.code not in _TELLS_NOTHING:
                self._method = method
            elif method == "get":
                self._post_was_not_taken = False  # neither is understood: the account it is, not the method
            raise
        self._method = method
        return discreet_answer(parsed, *self._secrets(parameters))

    def _secrets(self, parameters: _Parameters) -> tuple[str, ...]:
        """What no answer's words may repeat to anybody."""
        return self._password, *(value for name, value in parameters if name == "newpwd")

    def _ask(
        self,
        method: _Method,
        page: str,
        parameters: _Parameters,
        deadline: Deadline,
        ready: Callable[[], None] = lambda: None,
    ) -> Answer:
        login = [("name", self._name), ("pwd", self._password)]
        form = request.form([*login, *parameters], self._charset)
        answer = exchange(self._site, method, page, form, deadline, ready)
        if answer.status == 200:
            return answer
        why = f"{page}: the gateway answered HTTP {answer.status}"
        if method == "post" and answer.status in _POST_NOT_TAKEN:
            raise _PostNotTaken(f"{why}: it takes no POST; set RECEIVER_GATEWAY_METHOD=get", answer.body)
        raise Unreadable(why, answer.body)

    def _find_method(self) -> None:
        try:
            self.balance()
        except Refusal:
            if self._method is None:
                raise
        except InDoubt as doubt:
            raise NotSent(
                f"no reply was asked for, since whether the gateway takes POST is not known: {doubt}; "
                "RECEIVER_GATEWAY_METHOD can say it"
            ) from None


class _PostNotTaken(Unreadable):
    pass
