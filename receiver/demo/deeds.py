"""What the invented enterprise's people did: sends, opt-outs by letter, a lift, keys, and what the audit has of it."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, TypeAlias
from uuid import UUID

from receiver.access import Action, Keys, Scope
from receiver.access.audit import Via
from receiver.access.people import People
from receiver.gateway.client import Gateway
from receiver.gateway.sending import Dispatcher, Enqueued, Found, Sending, SendRequest, cancel, settle
from receiver.gateway.simulator.gateway import DEMO, Fault, Kind, Page, Rules, SimulatedGateway
from receiver.intake.replay import Replay
from receiver.optout.register import Register
from receiver.store import audit_log
from receiver.store.sends import Transaction
from receiver.store.store import Store
from receiver.vocabulary import Delivery, Origin, Reading, Reply, Undeliverable, earliest_id, phone_identity
from receiver.vocabulary.parse import parse
from receiver.vocabulary.register import Source

from .life import Campaign, Week
from .people import ADMIN, COMPLIANCE, OPERATOR
from .words import CLUB, SCHEDULED

Deed: TypeAlias = Callable[[], None]
_WINDOW = timedelta(seconds=120)
_REGION = "CN"


class Office:
    """Everybody's desk, with a simulated gateway to send through. ``deeds`` are to be done in the order of time."""

    def __init__(self, store: Store, week: Week) -> None:
        self._store, self._week = store, week
        self._now = week.day(7, 9)
        protected, listed = week.subscribers[CLUB.code][7], week.subscribers[CLUB.code][31]
        self._simulated = SimulatedGateway(
            clock=self._clock, rules=Rules(phones={protected: 6004, listed: 6009}), seed=1
        )
        self._register = Register(store, clock=self._clock)
        self._keys = Keys(store, self._clock)
        self._sends: list[UUID] = []

    def __enter__(self) -> "Office":
        self._simulated.__enter__()
        self._gateway = Gateway(self._simulated.url, DEMO.name, DEMO.password, timeout=5.0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._simulated.close()

    def deeds(self) -> Iterator[tuple[datetime, Deed]]:
        """What was done, each with its time."""
        for at, deed in self._planned():
            yield at, self._at(at, deed)

    def taking_in(self, quarantine_id: UUID) -> Deed:
        """To take a kept delivery in."""

        def read(kept: Mapping[str, Any]) -> Reply | Undeliverable:
            said = parse(kept["raw"], Reading())
            if not isinstance(said, Delivery):
                return said
            return Reply(kept["id"], kept["received_at"], Origin.PUSH, kept["peer"], said)

        return lambda: _done(Replay(self._store, read, _WINDOW).one(quarantine_id))

    def _planned(self) -> Iterator[tuple[datetime, Deed]]:
        day, club = self._week.day, self._week.subscribers[CLUB.code]
        for campaign in self._week.campaigns:
            yield campaign.at, lambda campaign=campaign: self._send(campaign)  # type: ignore[misc]
        yield day(6, 9, 5), lambda: self._key("crm", [Scope.MESSAGES_READ, Scope.OPTOUTS_READ], days=365)
        yield day(6, 9, 7), lambda: self._key("campaigns", [Scope.SMS_SEND, Scope.OPTOUTS_READ], days=90)
        yield day(6, 9, 9), lambda: self._key("old-report", [Scope.MESSAGES_READ], days=30)
        yield day(4, 9, 30), lambda: self._revoke("old-report")
        yield day(5, 9, 40), lambda: self._stop(club[3:6], "客户来信要求停止短信，见登记表 2 号")
        yield day(3, 15, 10), lambda: self._stop(club[17:18], "电话要求退订，客服工单 0417")
        yield day(2, 10, 20), lambda: self._lift(club[4], "客户重新签署同意书，要求恢复会员活动短信")
        yield day(5, 11, 6), lambda: self._tell(Action.QUARANTINE_REPLAYED, ADMIN.name, count=5)
        yield day(3, 9, 15), self._settle
        yield day(2, 16, 2), lambda: self._tell(Action.MESSAGES_EXPORTED, OPERATOR.name, format="xlsx")
        yield day(2, 17, 30), lambda: self._tell(Action.PROOF_MADE, COMPLIANCE.name, _identity(club[3]), format="pdf")
        yield day(1, 11, 0), self._schedule
        yield day(1, 11, 25), self._cancel
        for days_ago in range(6, -1, -1):
            yield day(days_ago, 8, 55), lambda: self._log_in(OPERATOR.name)
            yield day(days_ago, 9, 2), lambda: self._log_in(COMPLIANCE.name)
        yield self._week.now - timedelta(minutes=50), self._schedule

    def _send(self, campaign: Campaign) -> None:
        service = campaign.service
        send_id = self._enqueue(campaign.actor, SendRequest(campaign.phones, service.text, sender=service.digits))
        if campaign.lost:  # the answer to the second call, which was carried out all the same
            self._simulated.faults = [Fault(Kind.RESET, every=2, times=1, pages=frozenset([Page.SEND]))]
        Dispatcher(self._store, self._gateway, region=_REGION, clock=self._clock).run_send(send_id)
        self._simulated.faults = []

    def _enqueue(self, actor: str, request: SendRequest) -> UUID:
        def noted(made: Enqueued) -> "_Told":
            return self._told(Action.SEND_QUEUED, actor, str(made.send_id), recipients=len(made.plan.allowed))

        sending = Sending(self._store, _REGION, clock=self._clock)
        send_id = UUID(int=earliest_id(self._now).int | secrets.randbits(60))
        self._sends.append(sending.enqueue(request, actor, send_id=send_id, noted=noted).send_id)
        return send_id

    def _schedule(self) -> None:
        at = self._week.day(-1, 10)
        phones = self._week.subscribers[CLUB.code]
        self._enqueue("sun.hao", SendRequest(phones, SCHEDULED, at=at, hold=True, sender=CLUB.digits))

    def _cancel(self) -> None:
        noted = self._told(Action.SEND_CANCELLED, "sun.hao", str(self._sends[-1]))
        cancel(
            self._store,
            self._sends[-1],
            actor="sun.hao",
            reason="时间写错，改日再发",
            clock=self._clock,
            noted=lambda _: noted,
        )

    def _settle(self) -> None:
        lost = [campaign.lost for campaign in self._week.campaigns].index(True)
        noted = self._told(Action.SEND_SETTLED, OPERATOR.name, str(self._sends[lost]), found=Found.SENT)
        settle(
            self._store,
            self._sends[lost],
            Found.SENT,
            phones=None,
            region=_REGION,
            actor=OPERATOR.name,
            reason="网关客服确认已下发",
            clock=self._clock,
            noted=lambda _: noted,
        )

    def _stop(self, phones: Any, reason: str) -> None:
        note = self._told(Action.OPTOUT_ADDED, COMPLIANCE.name, count=len(phones))
        self._register.add(phones, source=Source.MANUAL, reason=reason, actor=COMPLIANCE.name, note=note)

    def _lift(self, phone: str, reason: str) -> None:
        note = self._told(Action.OPTOUT_LIFTED, COMPLIANCE.name, _identity(phone))
        self._register.lift(phone, reason=reason, actor=COMPLIANCE.name, note=note)

    def _key(self, name: str, scopes: list[Scope], *, days: int) -> None:
        self._keys.create(name, scopes, actor=ADMIN.name, expires_at=self._now + timedelta(days=days))
        self._tell(Action.KEY_CREATED, ADMIN.name, name, scopes=sorted(scopes))

    def _revoke(self, name: str) -> None:
        (key,) = (key for key in self._keys.page(limit=10) if key.name == name)
        self._keys.revoke(key.id, actor=ADMIN.name)
        self._tell(Action.KEY_REVOKED, ADMIN.name, name)

    def _log_in(self, name: str) -> None:
        people = People(self._store)
        people.change(people.get(name), last_login_at=self._now)
        self._tell(Action.LOGGED_IN, name)

    def _tell(self, action: Action, actor: str, target: str | None = None, **detail: Any) -> None:
        with self._store.writing() as transaction:
            self._told(action, actor, target, **detail).note(transaction)

    def _told(self, action: Action, actor: str, target: str | None = None, **detail: Any) -> "_Told":
        return _Told(self._now, action, actor, target, detail)

    def _at(self, at: datetime, deed: Deed) -> Deed:
        def done_then() -> None:
            self._now = at
            deed()

        return done_then

    def _clock(self) -> datetime:
        return self._now


@dataclass(frozen=True, slots=True)
class _Told:
    """An act for the audit that was done in the past: everywhere else its row is of the moment it is written."""

    at: datetime
    action: Action
    actor: str
    target: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def note(self, transaction: Transaction) -> None:
        row = {"at": self.at, "action": self.action, "actor": self.actor, "via": Via.CONSOLE, "target": self.target}
        own_id = UUID(int=earliest_id(self.at).int | secrets.randbits(60))
        audit_log.add(transaction, {**row, "id": own_id, "detail": dict(self.detail)})


def _done(_: object) -> None:
    pass


def _identity(phone: str) -> str:
    return phone_identity(phone, _REGION) or phone
