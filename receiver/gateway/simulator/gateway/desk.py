"""Takes the gateway's calls: from a request to its answer, whole or broken."""

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal

from .breakage import broken, deformed
from .faults import Kind, Luck
from .form import parameters
from .pages import Answered, Asked, Pages
from .server import Request, Response
from .state import State
from .values import Call, Page

Post = Literal["taken", "refused", "ignored"]
_PAGES = {f"{page}.asp": page for page in Page}


class Desk:
    """Answers requests for the pages under ``path``; ``elsewhere`` answers the others.

    ``arriving`` hears of each call before it is looked at, ``carried_out`` of each that was. ``stopping`` ends the
    wait of those that are carried out late.
    """

    def __init__(
        self,
        state: State,
        pages: Pages,
        luck: Luck,
        *,
        clock: Callable[[], datetime],
        charset: str,
        path: str,
        post: Post,
        dice: random.Random,
        elsewhere: Callable[[Request], Response],
        arriving: Callable[[], None],
        carried_out: Callable[[Answered], None],
    ) -> None:
        self._state = state
        self._pages = pages
        self._luck = luck
        self._clock = clock
        self._charset = charset
        self._path = path.lower()
        self._post = post
        self._dice = dice
        self._elsewhere = elsewhere
        self._arriving = arriving
        self._carried_out = carried_out
        self.stopping = threading.Event()

    def answer(self, request: Request) -> Response:
        name = request.path.lower()
        page = _PAGES.get(name.removeprefix(self._path)) if name.startswith(self._path) else None
        if page is None:
            return self._elsewhere(request)
        if request.method not in ("GET", "POST") or (request.method == "POST" and self._post == "refused"):
            return Response(b"405", 405, headers=("Allow: GET",))
        form = request.body if request.method == "POST" and self._post == "taken" else b""
        return self._call(page, request, parameters(request.query, form, self._charset))

    def _call(self, page: Page, request: Request, said: Mapping[str, str]) -> Response:
        self._arriving()
        name, faults = said.get("name", ""), self._luck.draw(page)
        losing = next((fault for fault in faults if fault.kind.loses), None)
        call = Call(
            number=self._state.new_call(),
            at=self._clock(),
            page=page,
            method=request.method,
            account=name,
            carried_out=False,
            fault=", ".join(fault.name for fault in faults) or None,
        )

        def leaving() -> None:
            with self._state.lock:
                self._state.answered(page, name, self._clock())

        if losing is not None and losing.before:
            if losing.kind is not Kind.SLOW:
                with self._state.lock:
                    self._state.calls.append(call)
                return broken(Response(leaving=leaving), losing, self._dice)
            if self.stopping.wait(losing.seconds):
                return Response(silent=True)
            losing = None
        quirks = frozenset(fault.kind for fault in faults)
        answered = self._carry_out(call, request, said, quirks, handed_over=losing is None)
        body = deformed(answered.fields, quirks, self._charset, self._dice)
        response = Response(body, leaving=leaving)
        return response if losing is None else broken(response, losing, self._dice)

    def _carry_out(
        self, call: Call, request: Request, said: Mapping[str, str], quirks: frozenset[Kind], *, handed_over: bool
    ) -> Answered:
        # One lock for the whole call: what it does and what is written down of it are never seen apart.
        with self._state.lock:
            now = self._clock()
            answered = self._pages.carry_out(Asked(call.number, call.page, said, request.peer, now, quirks))
            self._state.calls.append(replace(call, at=now, carried_out=True, code=answered.code))
            self._state.answered(call.page, call.account, now)
            if answered.read is not None and handed_over:
                self._state.handed_over(answered.read)
            self._carried_out(answered)
        return answered
