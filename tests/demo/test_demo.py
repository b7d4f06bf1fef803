"""``receiver demo``: invented data by the real rules, links instead of passwords, and nothing real touched."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ColumnElement, func, select

from receiver.demo import Occupied, fill
from receiver.demo.life import Week, live
from receiver.optout.verify import verify
from receiver.store import tables
from receiver.store.store import Store
from tests.admin.console.visitor import PASSWORD, Visitor
from tests.demo.running import Demo, demonstrating
from tests.filled import Filled

NOW = datetime(2026, 3, 6, 8, 0, tzinfo=UTC)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with closing(Store(database_url, pooled=False)) as opened:
        opened.ensure_current()
        yield opened


def counted(store: Store, column: ColumnElement[Any]) -> Counter[Any]:
    with store.reading() as transaction:
        rows = transaction.execute(select(column, func.count()).group_by(column))
        return Counter(dict(rows.all()))


def test_a_week_has_something_for_every_page_and_a_ledger_that_verifies(store: Store) -> None:
    week = fill(store, NOW)

    kinds = counted(store, tables.messages.c.kind)
    assert kinds["reply"] > 300
    assert kinds["unsubscribe"] > 5
    assert kinds.total() == len(week.replies) + 5, "and those that were taken in from quarantine"
    assert counted(store, tables.messages.c.duplicate_of.is_not(None))[True]
    assert counted(store, tables.messages.c.charset_certain)[False]
    states = counted(store, tables.send_recipients.c.state)
    assert set(states) == {"accepted", "refused", "blocked", "in_doubt", "queued", "cancelled"}
    assert counted(store, tables.quarantine.c.replayed_at.is_(None))[True]
    events = counted(store, tables.ledger.c.type)
    assert {"opted-out", "lifted", "service-cancelled"} <= {name.replace("_", "-") for name in events}
    assert verify(store).ok
    with store.reading() as transaction:
        times = list(transaction.scalars(select(tables.ledger.c.at).order_by(tables.ledger.c.sequence)))
    assert times == sorted(times)
    assert times[-1] <= NOW


def test_a_week_is_the_same_each_time_but_for_its_dates() -> None:
    later = timedelta(days=700)
    assert live(NOW).replies
    assert [came.query for came in live(NOW).replies] == [came.query for came in live(NOW + later).replies]


def test_nobodys_phone_is_in_it() -> None:
    week: Week = live(NOW)
    assert all(phone.startswith("154") for phones in week.subscribers.values() for phone in phones)
    assert all(b"154" in came.query.partition(b"&dst")[0] for came in week.replies)


def test_a_database_with_messages_is_left_alone(tmp_path: Path) -> None:
    filled = Filled(f"sqlite:///{tmp_path / 'receiver.db'}")
    filled.reply(b"src=13900000001&dst=10690000&msg=hello")
    with closing(filled.store), pytest.raises(Occupied):
        fill(filled.store, NOW)
    assert counted(filled.store, tables.messages.c.kind).total() == 1


def test_it_runs_beside_what_is_configured_and_a_link_lets_somebody_in_once(tmp_path: Path) -> None:
    configured = tmp_path / "configured.db"
    env = {"RECEIVER_DATABASE_URL": f"sqlite:///{configured}", "RECEIVER_CALLBACK_TOKEN": "something-else"}
    with demonstrating(tmp_path / "demo", env) as demo:
        assert set(demo.links) == {"admin", "operator", "compliance", "viewer"}
        visitor = Visitor(demo.admin)
        visitor.get(demo.links["operator"])
        page = visitor.follow(demo.links["operator"], password=PASSWORD, again=PASSWORD)
        assert "last reply came in" in page.words
        assert Visitor(demo.admin).get(demo.links["operator"]).status != 200
        assert demo.end() == 0
    assert not configured.exists()

    again = Demo(tmp_path / "demo")
    assert again.process.wait(60) == 1
    assert "there are messages in" in again.log
    assert "Traceback" not in again.log
