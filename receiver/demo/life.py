"""What people did in the week before: whom was written to, and who wrote what when, from a seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from receiver.gateway.simulator.script import simulated_phone
from receiver.gateway.simulator.wire import Encoding, parameters, written

from .words import BASE, CLINIC, CLUB, PARCEL, SERVICES, STOPS, UNASKED, Service

CHINA = timezone(timedelta(hours=8), "UTC+8")
# Of networks that are for documents alone (RFC 5737): nobody's.
GATEWAY_ADDRESSES = ("203.0.113.21", "203.0.113.22")
STRANGER = "198.51.100.7"
_SEED = 1069
_SUBSCRIBERS = 260
_FORMS = ("{}", "{}", "{}", "86{}", "+86{}")
_BALANCE = 9_000


@dataclass(frozen=True, slots=True)
class Came:
    """A reply as it was on the wire."""

    at: datetime
    query: bytes


@dataclass(frozen=True, slots=True)
class Campaign:
    """A text of a service to its subscribers. ``lost``: the gateway's last answer did not arrive."""

    at: datetime
    service: Service
    phones: Sequence[str]
    actor: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Week:
    """All that happened until ``now``. Everybody's number is made up (``simulated_phone``)."""

    now: datetime
    subscribers: dict[str, Sequence[str]]
    """By service code, whoever has it."""
    campaigns: Sequence[Campaign]
    replies: Sequence[Came]
    """In the order of time."""

    def day(self, days_ago: int, hour: int, minute: int = 0) -> datetime:
        """A moment of China's day so many days ago."""
        midnight = self.now.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=days_ago) + timedelta(hours=hour, minutes=minute)


def live(now: datetime) -> Week:
    """The week that ends at ``now``, the same each time but for its dates."""
    return _Living(now).week()


def balance_left(week: Week) -> int:
    """How many texts the enterprise may still send, a text for each person that it wrote to."""
    return _BALANCE - sum(len(campaign.phones) for campaign in week.campaigns)


class _Living:
    def __init__(self, now: datetime) -> None:
        self._dice = random.Random(_SEED)
        people = [simulated_phone(self._dice.randrange(10**8)) for _ in range(_SUBSCRIBERS)]
        self._week = Week(
            now,
            {
                CLINIC.code: people[:90],
                PARCEL.code: people[60:180],
                CLUB.code: people[120:],
            },
            [],
            [],
        )
        self._came: list[Came] = []
        self._stopped: dict[str, datetime] = {}

    def week(self) -> Week:
        campaigns = list(self._campaigns())
        for campaign in campaigns:
            self._answer(campaign)
        self._unasked()
        replies = sorted((came for came in self._came if came.at < self._week.now), key=lambda came: came.at)
        return Week(self._week.now, self._week.subscribers, campaigns, replies)

    def _campaigns(self) -> Iterator[Campaign]:
        day, subscribers = self._week.day, self._week.subscribers
        recently = self._week.now - timedelta(minutes=100)
        for at, service, actor, lost in (
            (day(6, 10), CLUB, "sun.hao", False),
            (day(5, 9), CLINIC, "li.na", False),
            (day(4, 16, 30), PARCEL, "li.na", True),
            (day(3, 16, 30), PARCEL, "li.na", False),
            (day(2, 9), CLINIC, "li.na", False),
            (day(1, 16, 30), CLUB, "sun.hao", True),
            (recently.replace(second=0, microsecond=0), CLINIC, "li.na", False),
        ):
            yield Campaign(at, service, subscribers[service.code], actor, lost)

    def _answer(self, campaign: Campaign) -> None:
        service = campaign.service
        for phone in campaign.phones:
            if self._has_stopped(phone, campaign.at) or self._dice.random() > service.answered:
                continue
            at = campaign.at + timedelta(seconds=20 + self._dice.expovariate(1 / 2_400))
            if self._dice.random() < service.stops:
                self._say(at, phone, service.number, self._dice.choice(STOPS), Encoding.UTF_8)
                self._stopped[phone] = at
                continue
            self._say(at, phone, service.number, self._dice.choice(service.answers), service.encoding)

    def _unasked(self) -> None:
        everybody = sorted({phone for phones in self._week.subscribers.values() for phone in phones})
        for days_ago in range(6, -1, -1):
            for hour in range(7, 23):
                for _ in range(self._dice.choice((0, 1, 1, 2, 3))):
                    at = self._week.day(days_ago, hour) + timedelta(seconds=self._dice.randrange(3_600))
                    service = self._dice.choice(SERVICES)
                    number = self._dice.choice((BASE, service.number))
                    encoding = service.encoding if number == service.number else Encoding.UTF_8
                    self._say(at, self._dice.choice(everybody), number, self._dice.choice(UNASKED), encoding)

    def _has_stopped(self, phone: str, at: datetime) -> bool:
        return phone in self._stopped and self._stopped[phone] < at

    def _say(self, at: datetime, phone: str, number: str, text: str, encoding: Encoding) -> None:
        src = self._dice.choice(_FORMS).format(phone)
        query = parameters(src, number, written(text, encoding))
        self._came.append(Came(at, query))
        if self._dice.random() < 0.02:  # the gateway asks again where it has missed an answer
            self._came.append(Came(at + timedelta(seconds=self._dice.randrange(3, 40)), query))


def refused(week: Week) -> Iterator[tuple[datetime, str, bytes]]:
    """What came from addresses that were not allowed: one of the gateway's own, and somebody else's."""
    phones = iter(week.subscribers[CLINIC.code])
    for began, peer, how_many in ((week.day(5, 10, 12), GATEWAY_ADDRESSES[1], 5), (week.day(1, 3, 41), STRANGER, 7)):
        for number in range(how_many):
            text = written(CLINIC.answers[number], CLINIC.encoding)
            yield began + timedelta(seconds=97 * number), peer, parameters(next(phones), BASE, text)


def unusable(week: Week) -> Iterator[tuple[datetime, bytes]]:
    """Deliveries that say too little or too much; one of them says stop all the same."""
    first, second, third, fourth = week.subscribers[CLUB.code][:4]
    yield week.day(6, 11, 3), b"src=%s&msg=%s" % (first.encode(), written("想参加", Encoding.UTF_8))
    yield week.day(4, 17, 20), b"src=&dst=%s&msg=hello" % BASE.encode()
    yield week.day(3, 10, 34), b"src=%s&msg=0000" % second.encode()
    yield week.day(2, 14, 8), b"src=%s&src=%s&dst=%s&msg=1" % (third.encode(), fourth.encode(), BASE.encode())
    yield week.day(1, 19, 55), b"src=%s&dst=%s" % (fourth.encode(), BASE.encode())
