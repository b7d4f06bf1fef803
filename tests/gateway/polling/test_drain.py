"""What the gateway handed out becomes a reply as any other: one message, in force where it says stop."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from receiver.gateway.polling import Became, CannotStore, Drain, Spool
from receiver.gateway.polling.answer import Answer
from receiver.intake import Intake, Outcome
from receiver.optout.register import Register
from receiver.store.store import Store
from receiver.store.tables import messages, optouts, quarantine
from receiver.vocabulary import new_id
from tests.gateway.polling.inbox import NOTHING, PAGE, answer
from tests.intake.replies import delivery, rows, verified_ledger

READ_AT = datetime(2026, 6, 3, 9, 0, 30, 123456, tzinfo=UTC)
SENT_AT = datetime(2005, 5, 24, 9, 13, tzinfo=UTC)


def answered(body: bytes) -> Answer:
    return Answer(new_id(), READ_AT, "demo", "gb18030", body)


def test_a_pulled_reply_is_a_message_with_all_that_the_gateway_says(drain: Drain, spool: Spool, store: Store) -> None:
    kept = answered(answer(9586, "收到，谢谢".encode("gb18030"), "8613900000001"))
    spool.keep(kept)
    assert drain.run() == {Became.REPLY: 1}
    (row,) = rows(store, messages)
    assert (row.id, row.origin, row.kind, row.received_at) == (kept.id, "poll", "reply", READ_AT)
    assert (row.src, row.src_wire, row.dst) == ("+8613900000001", "8613900000001", "10690001")
    assert (row.text, row.gateway_id, row.sent_at, row.peer) == ("收到，谢谢", "9586", SENT_AT, None)
    assert spool.waiting() == []


@pytest.mark.parametrize("said", [b"0000", "００００".encode("gb18030"), b"%30000", b" 0000 "])
def test_a_pulled_0000_is_in_force(said: bytes, drain: Drain, spool: Spool, store: Store) -> None:
    spool.keep(answered(answer(1, said)))
    assert drain.run() == {Became.UNSUBSCRIBE: 1}
    assert [row.phone for row in rows(store, optouts)] == ["+8613900000001"]
    assert [event.type for event in verified_ledger(store)] == ["opted_out"]


def test_the_phone_in_dst_of_an_answer_without_src_says_stop(drain: Drain, spool: Spool, store: Store) -> None:
    spool.keep(answered(answer(1, b"0000", src="", dst="13900000001")))
    assert drain.run() == {Became.UNSUBSCRIBE: 1}
    (row,) = rows(store, messages)
    assert (row.src, row.dst) == ("+8613900000001", "")


def test_the_same_number_at_the_gateway_is_one_message_though_it_is_read_twice(
    drain: Drain, spool: Spool, store: Store
) -> None:
    for _ in range(2):
        spool.keep(answered(answer(7, b"0000")))
    drain.run()
    assert len(rows(store, messages)) == 1
    assert [event.type for event in verified_ledger(store)] == ["opted_out"]


def test_an_answer_that_is_drained_again_after_a_crash_is_one_message(drain: Drain, spool: Spool, store: Store) -> None:
    kept = answered(answer(7, b"0000"))
    for _ in range(2):
        spool.keep(kept)
        drain.run()
    assert [row.id for row in rows(store, messages)] == [kept.id]
    assert len(verified_ledger(store)) == 1


def test_a_reply_that_was_pushed_too_is_flagged(drain: Drain, spool: Spool, store: Store, intake: Intake) -> None:
    assert intake.accept(delivery("hello", "+8613900000001", "10690001")) is Outcome.STORED
    now = datetime.now(UTC)
    spool.keep(Answer(new_id(), now, "demo", "gb18030", answer(7)))
    drain.run()
    pushed, pulled = rows(store, messages)
    assert (pushed.origin, pulled.origin, pulled.duplicate_of) == ("push", "poll", pushed.id)


@pytest.mark.parametrize(
    ("body", "unsubscribes"),
    [
        (PAGE, None),
        (b"src=13900000001&msg=0000&dst=1069&time=", "+8613900000001"),
        (b"id=&src=%2B8613900000001&msg=0000&dst=1069&time=", "+8613900000001"),
        (b"src=13900000001&dst=1069&time=&msg=0000", "+8613900000001"),  # more may have followed: honoured in doubt
        (b"msg=0000&src=13900000001", "+8613900000001"),
        (b"id=0&err=&src=13900000001&msg=0000&dst=1069&time=", "+8613900000001"),
        (b"id=&src=&dst=13900000001&msg=0000&time=", "+8613900000001"),
        (b"id=&dst=13900000001&msg=0000&time=", None),  # it may be a service number
        (b"src=13900000001&src=13900000002&msg=0000&dst=1069", None),
        (b"src=13900000001&msg=0000&msg=1&dst=1069", None),
        (b"src=1069&msg=0000&dst=1069", None),
        (b"src=13900000001&msg=100%&dst=1069", None),
    ],
)
def test_what_cant_be_read_is_quarantined_and_a_certain_stop_in_it_honoured(
    body: bytes, unsubscribes: str | None, drain: Drain, spool: Spool, store: Store
) -> None:
    kept = answered(body)
    spool.keep(kept)
    assert drain.run() == {Became.QUARANTINED: 1}
    (row,) = rows(store, quarantine)
    assert (row.id, row.received_at, row.reason, row.raw) == (kept.id, READ_AT, "unreadable-answer", body)
    assert row.unsubscribes == unsubscribes
    assert [row.phone for row in rows(store, optouts)] == ([unsubscribes] if unsubscribes else [])
    assert spool.waiting() == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"id=1&src=13900000001&dst=%s&msg=0000&err=&time=200505241713" % (b"1" * 101), "unusable-dst"),
        (b"id=1&src=13900000001%s&dst=1069&msg=0000&err=&time=200505241713" % (b" " * 99 + b"."), "unusable-src"),
    ],
)
def test_an_address_that_is_none_is_quarantined_and_its_stop_honoured(
    body: bytes, reason: str, drain: Drain, spool: Spool, store: Store
) -> None:
    spool.keep(answered(body))
    assert drain.run() == {Became.QUARANTINED: 1}
    assert [row.reason for row in rows(store, quarantine)] == [reason]
    assert [row.phone for row in rows(store, optouts)] == ["+8613900000001"]


@pytest.mark.parametrize(
    ("body", "stops"),
    [
        (b"id=7&err=&src=13900000001&msg=0000&d", ["+8613900000001"]),
        (b"id=7&err=&src=13900000001&msg=0000", ["+8613900000001"]),
        (b"id=7&err=&msg=0000&dst=1069&src=13900000001", []),  # of which more may have followed: whose is it?
        (b"id=&err=&msg=0000&dst=1069&src=13900000001\r\n", ["+8613900000001"]),
        (b"id=7&err=&src=&dst=13900000001&msg=0000", ["+8613900000001"]),
        (b"id=7&err=&src=&msg=0000&dst=13900000001", []),
        (b"id=7&err=&src=13900000001&msg=0000&time=200505241713", ["+8613900000001"]),  # dst may have followed
        (b"id=7&src=13900000001&msg=hello&time=200505241713", []),
        (b"id=7&err=&src=13900000001&msg=hello", []),
        (b"id=7&err=&src=13900000001&msg=hello&dst=1069", []),
    ],
)
def test_what_may_be_cut_is_no_reply_and_a_stop_in_it_is_honoured_where_it_is_known_whose(
    body: bytes, stops: list[str], drain: Drain, spool: Spool, store: Store
) -> None:
    spool.keep(replace(answered(body), whole=False))
    assert drain.run() == {Became.QUARANTINED: 1}
    assert rows(store, messages) == []
    assert [row.raw for row in rows(store, quarantine)] == [body]
    assert [row.phone for row in rows(store, optouts)] == stops


@pytest.mark.parametrize("time", [b"200505241713", b"2005", b"", b"200505241713\r\n"])
def test_without_a_length_a_reply_is_whole_when_its_time_has_begun(
    time: bytes, drain: Drain, spool: Spool, store: Store
) -> None:
    body = b"id=7&err=&src=13900000001&msg=hello&dst=10690001&time=" + time
    spool.keep(replace(answered(body), whole=False))
    assert drain.run() == {Became.REPLY: 1}
    assert [(row.text, row.dst) for row in rows(store, messages)] == [("hello", "10690001")]


def test_two_that_cant_be_read_and_are_alike_are_both_kept_where_they_may_be_replies(
    drain: Drain, spool: Spool, store: Store
) -> None:
    body = b"id=&src=13900000001&msg=hello&dst=1069&time=200505241713"
    for _ in range(2):
        spool.keep(answered(body))
        assert drain.run() == {Became.QUARANTINED: 1}
    assert len(rows(store, quarantine)) == 2


def test_a_second_stop_under_a_number_that_comes_again_is_another(drain: Drain, spool: Spool, store: Store) -> None:
    def pull(body: bytes, account: str = "demo") -> None:
        spool.keep(replace(answered(body), account=account))
        drain.run()

    first = b"id=7&err=&src=13900000001&msg=0000&dst=1069&time=200505241713"
    pull(first)
    pull(first)
    assert len(rows(store, messages)) == 1
    Register(store).lift("13900000001", reason="asked for it", actor="li.na")
    pull(first.replace(b"1713", b"1714"))
    assert [row.phone for row in rows(store, optouts)] == ["+8613900000001"]
    assert len(rows(store, messages)) == 2
    Register(store).lift("13900000001", reason="asked for it", actor="li.na")
    pull(first, account="another")
    assert [row.phone for row in rows(store, optouts)] == ["+8613900000001"]
    Register(store).lift("13900000001", reason="asked for it", actor="li.na")
    for _ in range(2):
        pull(first.removesuffix(b"200505241713"))  # when it was sent is not known: it may be another each time
    assert [row.phone for row in rows(store, optouts)] == ["+8613900000001"]
    assert len(rows(store, messages)) == 5


def test_a_page_that_comes_again_and_again_is_kept_once(drain: Drain, spool: Spool, store: Store) -> None:
    for body in (PAGE, PAGE, PAGE, b"<html>other</html>", PAGE):
        spool.keep(answered(body))
        drain.run()
    assert [row.raw for row in rows(store, quarantine)] == [PAGE, b"<html>other</html>", PAGE]


def test_a_stop_in_what_cant_be_read_is_heard_each_time(drain: Drain, spool: Spool, store: Store) -> None:
    for _ in range(2):
        spool.keep(answered(b"src=13900000001&msg=0000&dst=1069"))
        drain.run()
    assert [event.type for event in verified_ledger(store)] == ["opted_out", "repeated"]


def test_an_answer_that_says_nothing_is_removed(drain: Drain, spool: Spool, store: Store) -> None:
    spool.keep(answered(NOTHING))
    assert drain.run() == {Became.NOTHING: 1}
    assert spool.waiting() == []
    assert rows(store, messages) == []


def test_a_damaged_file_and_one_of_another_version_hold_nobody_up(
    drain: Drain, spool: Spool, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third = (answered(answer(number)) for number in (1, 2, 3))
    for each in (first, second, third):
        spool.keep(each)
    (spool.folder / f"{first.id}.reply").write_bytes(b"torn")
    newer = spool.folder / f"{second.id}.reply"
    newer.write_bytes(newer.read_bytes().replace(b"receiver-poll 1 ", b"receiver-poll 2 "))
    assert drain.run() == {Became.CORRUPT: 1, Became.LEFT: 1, Became.REPLY: 1}
    assert drain.run() == {Became.LEFT: 1}
    assert caplog.text.count("is left") == 1
    assert [row.id for row in rows(store, messages)] == [third.id]
    assert (spool.waiting(), spool.corrupt()) == ([second.id], 1)


def test_what_cant_be_stored_waits_in_the_spool(
    drain: Drain, spool: Spool, store: Store, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [answered(answer(number)) for number in (1, 2)]
    for each in kept:
        spool.keep(each)
    monkeypatch.setattr(intake, "store", lambda _: Outcome.UNAVAILABLE)
    monkeypatch.setattr(intake, "is_ready", lambda: False)
    with pytest.raises(CannotStore):
        drain.run()
    assert spool.waiting() == [each.id for each in kept]
    monkeypatch.undo()
    assert drain.run() == {Became.REPLY: 2}


def test_one_that_the_database_refuses_holds_nobody_up(
    drain: Drain, spool: Spool, store: Store, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, sound = (answered(answer(number)) for number in (1, 2))
    for each in (poison, sound):
        spool.keep(each)
    real = intake.store
    monkeypatch.setattr(intake, "store", lambda made: Outcome.UNAVAILABLE if made.id == poison.id else real(made))
    assert drain.run() == {Became.LEFT: 1, Became.REPLY: 1}
    assert spool.waiting() == [poison.id]


def test_logs_hold_no_phone_and_no_text(drain: Drain, spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        spool.keep(answered(answer(1, b"secret words")))
        spool.keep(answered(b"<src=13900000001&msg=secret words"))
        drain.run()
    assert len(caplog.records) >= 2
    for private in ("secret", "13900000001", "3900000"):
        assert private not in caplog.text
