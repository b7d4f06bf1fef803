"""The first page: whether replies come in, and what to do where they don't; with a test reply for who tries it."""

from datetime import datetime, timedelta
from typing import Any

from flask import Response, make_response, render_template
from flask_babel import get_timezone
from werkzeug.wrappers import Response as Redirection

from receiver.access import Action
from receiver.access.roles import Permission
from receiver.callback.access import Access
from receiver.gateway.polling import task_name
from receiver.gateway.simulator.connection import ACKNOWLEDGED, Connection
from receiver.gateway.simulator.script import simulated_phone
from receiver.gateway.simulator.target import Target
from receiver.gateway.simulator.wire import Encoding, parameters, request, written
from receiver.store import overview, services, stats, tasks
from receiver.vocabulary import Reason
from receiver.vocabulary.periods import By, period
from receiver.worker.health import pushed
from receiver.worker.roster import task_names
from receiver.worker.status import State, status

from ..parts import parts
from .notices import done
from .routes import Pages
from .sends import wording
from .visitor import act

pages = Pages("overview")

_TEST_NUMBER, _TEST_TEXT = "10690000", "控制台测试"
_TEST_SECONDS = 5.0
# This hour, and the 23 before it.
_DAY = timedelta(hours=23)
_MOST_SERVICES = 500
_TROUBLED = (State.STUCK, State.FAILING)


@pages.get("/", needs=Permission.SEE)
def show() -> str:
    return _page()


@pages.post("/test-reply", needs=Permission.SEND)
def push_test_reply() -> Response | Redirection:
    """Do what the gateway does: request the callback's address on this machine, with a made-up phone."""
    act(Action.TEST_PUSHED).record(parts().store)
    settings = parts().settings
    token = settings.callback_token.get_secret_value() if settings.callback_token else None
    target = Target.of(settings.callback_url_here, allow_remote=True).with_token(token)
    said = parameters(simulated_phone(0), _TEST_NUMBER, written(_TEST_TEXT, Encoding.UTF_8))
    with Connection(target, timeout=_TEST_SECONDS) as connection:
        answer = connection.ask(request(target.host, target.path, said))
    if answer.acknowledged:
        return done("test-pushed", "console.overview.show")
    return make_response(_page(tried=answer.said), 502)


def _page(tried: str | None = None) -> str:
    settings = parts().settings
    now = datetime.now(get_timezone())
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    zone, begun = str(get_timezone()), now - _DAY
    here = task_names(settings)
    with parts().store.snapshot() as connection:
        seen = overview.overview(connection, since=midnight, now=now)
        day = stats.statistics(connection, period(By.HOUR, zone, begun, now, now))
        by_service = stats.statistics(connection, period(By.SERVICE, zone, day.period.since, now, now))
        standings = tasks.every_standing(connection)
        names = {row["code"]: row["name"] for row in services.page(connection, limit=_MOST_SERVICES)}
    access = Access(settings.allowed_sources, settings.trusted_proxies, token=None)
    known: list[dict[str, Any]] = [status(standing, here) for standing in standings]
    return render_template(
        "console/overview.html",
        seen=seen,
        # Who has been allowed since needs nothing done.
        refused=[row for row in seen.refused if row["reason"] != Reason.SOURCE or not access.allows(row["peer"])],
        day=day,
        services=by_service.buckets,
        service_names=names,
        tasks=known,
        troubled=[task for task in known if task["state"] in _TROUBLED],
        never=[name for name in here if name not in {task["name"] for task in known}],
        settings=settings,
        spool=pushed(settings),
        balance=parts().balance,
        poll=next((task for task in known if task["name"] == task_name(settings.gateway_name or "")), None),
        wording=wording,
        database=parts().store.description,
        tried=tried,
        acknowledged=ACKNOWLEDGED,
        now=now,
    )
