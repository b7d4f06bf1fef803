"""What is counted as the receiver works: cheap enough for the receive path, and told by ``receiver.metrics``.

Each name is a metric's (docs/metrics.md). Labels have few values, all named here: nothing that somebody sends can make
another one, and none can hold a phone, a text or a secret.
"""

from dataclasses import dataclass

from receiver.vocabulary import Kind, Origin, Reason

from .kinds import ALL_ROLES, Cell, Counter, Found, Gauge, Measure, Role, Spread, Spreads, begin, join, measures, read

_INTAKE = (Role.CALLBACK, Role.WORKER)
_GATEWAY = (Role.WORKER, Role.ADMIN)
_NANOSECOND = 1e-9
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BOUNDS = tuple(round(each * 1e9) for each in _SECONDS)
_INTO = {"into": ("database", "spool")}
# protocol.md §7; a test holds them against receiver.gateway.client.
_CODES = tuple(map(str, range(6001, 6023)))
OTHER = "other"

ANSWERS = Counter(
    "receiver_answers_total",
    "Requests for the callback's path, by the number that was answered",
    [Role.CALLBACK],
    {"answer": ("0", "-1", "-2", "-3", "-4")},
)
REPLIES = Counter(
    "receiver_replies_total",
    "Replies that were made durable, in the database or in the spool",
    _INTAKE,
    {"origin": tuple(Origin), "kind": tuple(Kind), "charset": ("certain", "uncertain")},
)
QUARANTINED = Counter(
    "receiver_quarantined_total", "Deliveries that were put into quarantine", _INTAKE, {"reason": tuple(Reason)}
)
REFUSED = Counter(
    "receiver_refused_total",
    "Requests to the callback from whom may not call it",
    [Role.CALLBACK],
    {"reason": (Reason.SOURCE, Reason.TOKEN)},
)
CONNECTIONS = Gauge("receiver_connections", "Connections to the callback that are open", [Role.CALLBACK])
COMMIT_SECONDS = Spreads(
    "receiver_commit_seconds",
    "How long it took to make a batch durable",
    _INTAKE,
    _INTO,
    unit=_NANOSECOND,
    bounds=_BOUNDS,
)
COMMIT_ITEMS = Spreads(
    "receiver_commit_items",
    "Replies and quarantined deliveries in a batch",
    _INTAKE,
    _INTO,
    bounds=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
WAITING = Gauge("receiver_waiting", "Replies that wait to be made durable", _INTAKE, _INTO)
SPOOLING = Gauge(
    "receiver_spooling", "Processes whose replies go into the spool, since the database fails them", [Role.CALLBACK]
)
SPOOLED = Counter(
    "receiver_spooled_total", "Replies and quarantined deliveries that were put into the spool", [Role.CALLBACK]
)
DRAINED = Counter(
    "receiver_drained_total",
    "Of what was in the spool, what went into the database, and what it refuses or can't be read",
    _INTAKE,
    {"became": ("stored", "quarantined", "set-aside")},
)
GUARD = Counter(
    "receiver_guard_total",
    "Phones that the guard was asked about, before something is sent or by the API",
    _GATEWAY,
    {"verdict": ("allowed", "blocked", "invalid")},
)
GUARD_FAILURES = Counter(
    "receiver_guard_failures_total", "Times that the guard could not ask the register, so that nobody was texted",
    _GATEWAY,
)  # fmt: skip
GATEWAY_CALLS = Counter(
    "receiver_gateway_calls_total",
    "Calls to the gateway, by its page and how they ended",
    _GATEWAY,
    {
        "page": ("gsend.asp", "checkcontent.asp", "getfee.asp", "readsms.asp", "cpwd.asp"),
        "result": ("answered", "refused", "not_sent", "in_doubt"),
    },
)
GATEWAY_REFUSALS = Counter(
    "receiver_gateway_refusals_total",
    "Refusals by the gateway, of a call or of a single phone, by its code",
    _GATEWAY,
    {"code": (*_CODES, OTHER)},
)
GATEWAY_SECONDS = Spreads(
    "receiver_gateway_call_seconds", "How long a call to the gateway took", _GATEWAY, unit=_NANOSECOND, bounds=_BOUNDS
)
SENT = Counter(
    "receiver_sent_total",
    "Recipients of texts, by what became of them",
    _GATEWAY,
    {"fate": ("accepted", "refused", "blocked", "in_doubt")},
)
DATABASE_CONNECTIONS = Gauge(
    "receiver_database_connections", "Connections to the database that are open", ALL_ROLES
)  # fmt: skip
DATABASE_IN_USE = Gauge(
    "receiver_database_connections_in_use", "Of these, those that somebody uses at this moment", ALL_ROLES
)
DATABASE_CONNECTS = Counter(
    "receiver_database_connects_total", "Connections to the database that were made", ALL_ROLES
)  # fmt: skip
DATABASE_FAILURES = Counter(
    "receiver_database_failures_total",
    "Transactions that failed: the database was away, met another writer, or refused what it was given",
    ALL_ROLES,
    {"failure": ("unavailable", "conflict", "refused")},
)
RESPONSES = Counter(
    "receiver_admin_responses_total",
    "Answers of console and API, by the class of their status",
    [Role.ADMIN],
    {"part": ("api", "console"), "status": ("2xx", "3xx", "4xx", "5xx")},
)
PROCESSES = Counter(
    "receiver_processes_started_total", "Processes of the role that began, the first ones too", ALL_ROLES
)


@dataclass(frozen=True, slots=True)
class Commits:
    """What is counted of batches that are made durable."""

    seconds: Spread
    items: Spread
    waiting: Cell

    @classmethod
    def of(cls, into: str) -> "Commits":
        return cls(COMMIT_SECONDS.of(into), COMMIT_ITEMS.of(into), WAITING.of(into))


def code_of(code: int) -> Cell:
    """Where a refusal with this code is counted: one of the gateway's list, or another."""
    told = str(code)
    return GATEWAY_REFUSALS.of(told if told in _CODES else OTHER)


__all__ = [
    "ANSWERS", "CONNECTIONS", "DATABASE_CONNECTIONS", "DATABASE_CONNECTS", "DATABASE_FAILURES", "DATABASE_IN_USE",
    "DRAINED", "GATEWAY_CALLS", "GATEWAY_SECONDS", "GUARD", "GUARD_FAILURES", "OTHER", "PROCESSES", "QUARANTINED",
    "REFUSED", "REPLIES", "RESPONSES", "SENT", "SPOOLED", "SPOOLING", "Cell", "Commits", "Counter", "Found", "Gauge",
    "Measure", "Role", "Spread", "Spreads", "begin", "code_of", "join", "measures", "read",
]  # fmt: skip
