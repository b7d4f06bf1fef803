"""The database is lost amid the commit of a send: it is stored once, or known not to be, or said not to be known."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from receiver.gateway.sending import Inadmissible, Sending, SendRequest, Unknown
from receiver.gateway.sending import enqueue as enqueuing
from receiver.gateway.sending.retrying import written
from receiver.store import sends, tables
from receiver.store.errors import StoreError, Unavailable
from receiver.store.store import Store
from receiver.vocabulary import new_id
from tests.gateway.sending.conftest import Clock
from tests.gateway.sending.test_dispatch import TEXT, mobiles, stop
from tests.intake.replies import rows

REQUEST = SendRequest(mobiles(5), TEXT)


class Wire:
    """A TCP proxy before PostgreSQL that breaks connections off when a COMMIT passes: before it, or after it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = url.replace(f":{parts.port}/", f":{port}/", 1)
        self.breaks_off: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            is_answer_lost = threading.Event()
            threading.Thread(target=self._ask, args=(client, server, is_answer_lost), daemon=True).start()
            threading.Thread(target=self._answer, args=(server, client, is_answer_lost), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, is_answer_lost: threading.Event) -> None:
        with _ended(client, server):
            while data := client.recv(65_536):
                if b"COMMIT" in data and self.breaks_off:
                    if self.breaks_off.pop(0) == "before":
                        break
                    is_answer_lost.set()
                server.sendall(data)

    def _answer(self, server: socket.socket, client: socket.socket, is_answer_lost: threading.Event) -> None:
        with _ended(client, server):
            while (data := server.recv(65_536)) and not is_answer_lost.is_set():
                client.sendall(data)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def _ended(*ends: socket.socket) -> Iterator[None]:
    """Close both ends of a connection that is carried, however that goes."""
    with suppress(OSError):
        yield
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)  # close() alone does not end what another thread waits for
        end.close()


@contextmanager
def wired(url: str) -> Iterator[tuple[Store, Wire]]:
    wire = Wire(url)
    store = Store(wire.url)
    store.ensure_current()
    yield store, wire
    store.close()
    wire.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_whose_answer_is_lost_leaves_one_send(postgresql_url: str, when: str) -> None:
    with wired(postgresql_url) as (store, wire):
        wire.breaks_off = [when]
        enqueued = Sending(store).enqueue(REQUEST, "li.na")
        assert wire.breaks_off == []
        assert [row.id for row in rows(store, tables.sends)] == [enqueued.send_id]
        assert len(rows(store, tables.send_recipients)) == len(enqueued.plan.allowed) == 5


@pytest.mark.parametrize("holds", [False, True])
def test_a_commit_that_fails_or_seems_to_leaves_one_send(
    store: Store, holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect = store._engine.dialect
    failures, commit = 1, dialect.do_commit

    def failing(connection: Any) -> None:
        nonlocal failures
        failures -= 1
        if failures == 0:
            if holds:
                commit(connection)
            raise dialect.loaded_dbapi.OperationalError("disk I/O error")
        commit(connection)

    monkeypatch.setattr(dialect, "do_commit", failing)
    told: list[object] = []
    sending = Sending(store, sleep=lambda _seconds: None)
    enqueued = sending.enqueue(REQUEST, "li.na", told=told.append)
    assert failures < 0
    assert told == [enqueued.send_id] == [row.id for row in rows(store, tables.sends)]
    assert len(rows(store, tables.send_recipients)) == len(enqueued.plan.allowed) == 5


def test_where_it_can_t_be_found_out_the_id_and_the_way_to_look_are_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def lost(store: Store, work: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise Unavailable("it is gone")
        written(store, work)
        raise Unavailable("it went away amid the commit")

    monkeypatch.setattr(enqueuing, "written", lost)
    time = iter(range(5, 1_000, 5))
    sending = Sending(store, monotonic=lambda: next(time), sleep=lambda _seconds: None)
    with pytest.raises(Unknown) as unknown:
        sending.enqueue(REQUEST, "li.na")
    assert calls > 2
    assert f"sends show {unknown.value.send_id}" in str(unknown.value)
    assert [row.id for row in rows(store, tables.sends)] == [unknown.value.send_id]


def test_a_database_that_is_down_before_anything_was_written_is_told_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise Unavailable("it is gone")

    monkeypatch.setattr(enqueuing, "written", down)
    with pytest.raises(StoreError) as failure:
        Sending(store, sleep=lambda _seconds: pytest.fail("it waits")).enqueue(REQUEST, "li.na")
    assert not isinstance(failure.value, Unknown)


def test_the_same_id_again_is_the_same_send(store: Store) -> None:
    stop(store, mobiles(1)[0])
    send_id, sending = new_id(), Sending(store)
    first = sending.enqueue(REQUEST, "li.na", send_id=send_id)
    again = sending.enqueue(SendRequest([*mobiles(5), f"+86{mobiles(1)[0]}"], TEXT), "li.na", send_id=send_id)
    assert first.send_id == again.send_id == send_id
    assert again.plan.allowed == first.plan.allowed
    assert [person.identity for person, _ in again.plan.blocked] == [f"+86{mobiles(1)[0]}"]
    with store.reading() as connection:
        assert sends.counts(connection, [send_id])[send_id] == {"queued": 4, "blocked": 1}
    assert len([event for event in rows(store, tables.ledger) if event.type == "send_blocked"]) == 1


def test_the_same_id_again_is_the_same_send_though_its_time_is_past(store: Store, clock: Clock) -> None:
    send_id, sending = new_id(), Sending(store, clock=clock)
    request = SendRequest(mobiles(5), TEXT, at=clock() + timedelta(minutes=30), hold=True)
    first = sending.enqueue(request, "li.na", send_id=send_id)
    clock.pass_(hours=1)
    assert sending.enqueue(request, "li.na", send_id=send_id) == first
    assert sending.plan(request, send_id=send_id) == first.plan
    with pytest.raises(Inadmissible, match="past"):
        sending.enqueue(request, "li.na")
    assert len(rows(store, tables.sends)) == 1


@pytest.mark.parametrize("other", [SendRequest(mobiles(5), "another text"), SendRequest(mobiles(6), TEXT)])
def test_the_same_id_with_another_send_is_refused(store: Store, other: SendRequest) -> None:
    send_id, sending = new_id(), Sending(store)
    sending.enqueue(REQUEST, "li.na", send_id=send_id)
    with pytest.raises(Inadmissible, match="belongs to another send"):
        sending.enqueue(other, "li.na", send_id=send_id)
    assert len(rows(store, tables.send_recipients)) == 5


def test_two_who_store_the_same_id_at_once_store_it_once(store: Store, database_url: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    for _ in range(5):
        send_id, meet = new_id(), threading.Barrier(2)

        def enqueue(_: int, send_id: object = send_id, meet: threading.Barrier = meet) -> object:
            own = Store(database_url)
            meet.wait()
            found = Sending(own).enqueue(REQUEST, "li.na", send_id=send_id).send_id  # type: ignore[arg-type]
            own.close()
            return found

        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(enqueue, range(2))) == [send_id, send_id]
    assert len(rows(store, tables.sends)) == 5
