"""A stored reply is read again from its bytes: what it was taken for stays known, and a stop that it says counts."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from receiver.intake.redecode import Examined, NoSuchMessage, Redecoded, Redecoding, Stopped
from receiver.optout.guard import blocked
from receiver.optout.register import Register
from receiver.optout.verify import verify
from receiver.store import feed, messages, readings, search
from receiver.store.store import Store
from receiver.store.tables import ledger, message_readings, optouts, subscriptions
from receiver.store.tables import messages as stored
from receiver.vocabulary import Charset, Delivery, Kind, Origin, Reading, Reply, earliest_id, keyword_set, new_id
from tests.intake.replies import rows, verified_ledger
from tests.store.test_record import WINDOW, subscribe

PHONE = "+8613912345678"
LONG_AGO = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
# 医院 in GBK is valid UTF-8 too, of the letters that nobody would write: a reader who was told UTF-8 took these.
HOSPITAL = "医院".encode("gbk")
# 0000 in full width and GBK, behind so much white space that a reader who was told UTF-8 looked no further.
LATE_STOP = b"%20" * 100 + "００００".encode("gbk")


class Noted:
    """What was noted for the audit, in transactions that were kept."""

    def __init__(self) -> None:
        self.of: list[UUID] = []

    def __call__(self, message_id: UUID) -> "Note":
        return Note(self, message_id)


class Note:
    def __init__(self, noted: Noted, message_id: UUID) -> None:
        self.noted, self.message_id = noted, message_id

    def note(self, transaction: Any) -> None:
        assert not transaction.closed
        self.noted.of.append(self.message_id)


@pytest.fixture
def again(store: Store) -> Redecoding:
    return Redecoding(store, Reading())


def received(
    store: Store, raw: bytes, *, charset: Charset = Charset.UTF_8, at: datetime = LONG_AGO, src: str = "13912345678"
) -> UUID:
    """A reply that came in while the installation was set to ``charset``."""
    said: Delivery = Reading(charset).delivery(src, "1069", raw)
    reply_id = UUID(int=earliest_id(at).int | new_id().int & 0xFFFFFFFFFFFF)
    store.record([Reply(reply_id, at, Origin.PUSH, "203.81.21.34", said)], [], WINDOW)
    return reply_id


def message(store: Store, message_id: UUID) -> Any:
    with store.reading() as connection:
        return messages.get(connection, message_id)


def decoded(again: Redecoding, message_id: UUID, charset: Charset = Charset.GB18030, **more: Any) -> Redecoded:
    return again.one(message_id, charset, actor="li", **more)


def test_a_text_is_read_again_from_its_bytes_and_the_old_reading_stays(store: Store, again: Redecoding) -> None:
    read_wrongly = received(store, HOSPITAL)
    before = message(store, read_wrongly)
    assert before["text"] != "医院"
    asked = datetime.now(UTC)
    result = decoded(again, read_wrongly)
    assert (result.changed, result.stopped) == (True, None)
    assert (result.before["text"], result.after["text"]) == (before["text"], "医院")
    after = message(store, read_wrongly)
    changed = {name for name in dict(before) if before[name] != after[name]}
    assert changed == {"text", "charset", "position"}, "bytes, times and all else are as they were"
    assert (after["text"], after["charset"], after["charset_certain"]) == ("医院", "gb18030", True)
    (kept,) = rows(store, message_readings)
    assert (kept["message_id"], kept["actor"], kept["text"]) == (read_wrongly, "li", before["text"])
    assert (kept["charset"], kept["charset_certain"], kept["kind"]) == ("utf-8", True, "reply")
    assert asked <= kept["at"] <= datetime.now(UTC)


def test_readings_are_listed_with_the_last_one_first(store: Store, again: Redecoding) -> None:
    read_wrongly = received(store, HOSPITAL)
    first = message(store, read_wrongly)["text"]
    decoded(again, read_wrongly)
    decoded(again, read_wrongly, Charset.UTF_8)
    decoded(again, read_wrongly)
    with store.reading() as connection:
        kept = readings.of_message(connection, read_wrongly)
        assert [reading["text"] for reading in kept] == [first, "医院", first]
        assert readings.of_message(connection, read_wrongly, older_than=kept[0]["id"], limit=1) == kept[1:2]
        assert readings.of_message(connection, uuid4()) == []


def test_the_same_again_changes_nothing(store: Store, again: Redecoding) -> None:
    noted = Noted()
    read_wrongly = received(store, HOSPITAL)
    decoded(again, read_wrongly, notes=noted)
    before = message(store, read_wrongly), rows(store, message_readings)
    result = decoded(again, read_wrongly, notes=noted)
    assert (result.changed, result.before, result.after) == (False, result.after, result.before)
    assert (message(store, read_wrongly), rows(store, message_readings)) == before
    assert noted.of == [read_wrongly], "only what was changed is noted"


def test_a_text_that_reads_the_same_in_both_charsets_is_left_alone(store: Store, again: Redecoding) -> None:
    plain = received(store, b"yes+please")
    before = message(store, plain)
    assert not decoded(again, plain).changed
    assert message(store, plain) == before
    assert rows(store, message_readings) == []


def test_a_doubt_is_settled_by_naming_the_charset_that_was_taken(store: Store, again: Redecoding) -> None:
    doubtful = received(store, HOSPITAL, charset=Charset.AUTO)
    assert (message(store, doubtful)["text"], message(store, doubtful)["charset_certain"]) == ("医院", False)
    assert decoded(again, doubtful).changed
    assert message(store, doubtful)["charset_certain"] is True
    assert decoded(again, doubtful, Charset.AUTO).changed, "left to the rule it is in doubt again"
    assert message(store, doubtful)["charset_certain"] is False


def test_a_text_that_turns_out_to_be_an_unsubscribe_opts_out_with_its_time_of_arrival(
    store: Store, again: Redecoding
) -> None:
    subscribe(store, PHONE, "weather")
    late = received(store, LATE_STOP)
    assert message(store, late)["kind"] == "reply"
    assert blocked(store, [PHONE]).allowed
    asked = datetime.now(UTC)
    result = decoded(again, late)
    assert result.stopped is Stopped.OPTED_OUT
    assert message(store, late)["kind"] == "unsubscribe"
    assert blocked(store, ["139 1234 5678"]).blocked
    (optout,) = rows(store, optouts)
    assert (optout["phone"], optout["since"], optout["source"], optout["message_id"]) == (PHONE, LONG_AGO, "sms", late)
    opted_out, cancelled = verified_ledger(store)
    assert (opted_out["type"], cancelled["type"]) == ("opted_out", "service_cancelled")
    for event in (opted_out, cancelled):
        assert (event["at"], event["actor"], event["message_id"]) == (LONG_AGO, "subscriber", late)
        assert event["detail"]["redecoded_by"] == "li"
        assert asked <= datetime.fromisoformat(event["detail"]["redecoded_at"]) <= datetime.now(UTC)
    (subscription,) = rows(store, subscriptions)
    assert subscription["cancelled_at"] == max(LONG_AGO, subscription["since"]), "no service ends before it begins"
    assert verify(store).ok


def test_a_keyword_that_was_added_since_is_honoured_too(store: Store) -> None:
    wish = received(store, b"td", charset=Charset.AUTO)
    keyworded = Redecoding(store, Reading(keywords=keyword_set(["TD"])))
    assert decoded(keyworded, wish, Charset.AUTO).stopped is Stopped.OPTED_OUT
    assert blocked(store, [PHONE]).blocked


def test_whoever_is_opted_out_already_stays_so_and_the_stop_is_an_event(store: Store, again: Redecoding) -> None:
    received(store, b"0000", at=LONG_AGO + timedelta(days=1))
    late = received(store, LATE_STOP)
    assert decoded(again, late).stopped is Stopped.REPEATED
    assert [event["type"] for event in verified_ledger(store)] == ["opted_out", "repeated"]
    (optout,) = rows(store, optouts)
    assert optout["since"] == LONG_AGO + timedelta(days=1)
    assert verify(store).ok


def test_a_stop_that_nobody_saw_is_in_force_though_the_phone_was_lifted_since(store: Store, again: Redecoding) -> None:
    late = received(store, LATE_STOP)
    received(store, b"0000", at=LONG_AGO + timedelta(days=1))
    Register(store).lift(PHONE, reason="signed a new form", actor="li")
    assert blocked(store, [PHONE]).allowed
    assert decoded(again, late).stopped is Stopped.OPTED_OUT
    assert blocked(store, [PHONE]).blocked, "whoever lifted did not know of this stop"
    assert [event["type"] for event in verified_ledger(store)] == ["opted_out", "lifted", "opted_out"]
    (optout,) = rows(store, optouts)
    assert (optout["since"], optout["message_id"]) == (LONG_AGO, late)
    assert verify(store).ok


def test_a_stop_is_honoured_once_and_not_again_when_it_was_lifted(store: Store, again: Redecoding) -> None:
    late = received(store, LATE_STOP)
    decoded(again, late)
    Register(store).lift(PHONE, reason="signed a new form", actor="li")
    assert decoded(again, late, Charset.UTF_8).stopped is None
    result = decoded(again, late)
    assert (result.changed, result.stopped) == (True, None)
    assert blocked(store, [PHONE]).allowed, "whoever lifted knew of this stop"
    assert [event["type"] for event in verified_ledger(store)] == ["opted_out", "lifted"]


def test_one_that_turns_out_to_be_none_lifts_nothing(store: Store, again: Redecoding) -> None:
    keyworded = Reading(Charset.UTF_8, keywords=keyword_set(["退订"]))
    said = keyworded.delivery("13912345678", "1069", "退订".encode())
    store.record([Reply(stop := new_id(), LONG_AGO, Origin.PUSH, None, said)], [], WINDOW)
    before = rows(store, ledger), rows(store, optouts)
    assert decoded(again, stop).after["kind"] == Kind.REPLY
    assert message(store, stop)["kind"] == "reply"
    assert (rows(store, ledger), rows(store, optouts)) == before
    assert blocked(store, [PHONE]).blocked
    assert verify(store).ok


def test_a_flag_as_duplicate_stays(store: Store, again: Redecoding) -> None:
    first, second = received(store, HOSPITAL), received(store, HOSPITAL, at=LONG_AGO + timedelta(seconds=9))
    for each in (second, first):
        decoded(again, each)
    assert message(store, second)["duplicate_of"] == first
    assert message(store, first)["duplicate_of"] is None


def test_search_and_whoever_reads_on_see_the_new_text(store: Store, again: Redecoding) -> None:
    read_wrongly = received(store, HOSPITAL)
    with store.writing() as connection:
        search.index(connection, limit=100)
    with store.reading() as connection:
        read_to = feed.end(connection)
    old = message(store, read_wrongly)["text"]
    decoded(again, read_wrongly)
    for indexed in (False, True):
        if indexed:
            with store.writing() as connection:
                assert search.index(connection, limit=100) == 1
        assert ids_with(store, "医") == [read_wrongly], indexed
        assert ids_with(store, old) == [], indexed
    with store.reading() as connection:
        (seen,) = feed.after(connection, read_to, [stored.c.id, stored.c.text], limit=10)
    assert (seen["id"], seen["text"]) == (read_wrongly, "医院")


def ids_with(store: Store, text: str) -> list[UUID]:
    with store.reading() as connection:
        return [row["id"] for row in messages.page(connection, messages.Filter(text=text), limit=10)]


def test_a_dry_run_shows_and_changes_nothing(store: Store, again: Redecoding) -> None:
    noted = Noted()
    late = received(store, LATE_STOP)
    before = message(store, late)
    result = decoded(again, late, dry_run=True, notes=noted)
    assert (result.changed, result.after["kind"], result.stopped) == (True, Kind.UNSUBSCRIBE, None)
    examined = again.some(messages.Filter(), Charset.GB18030, actor="li", limit=5, dry_run=True, notes=noted)
    assert [each.id for each in examined.changed] == [late]
    assert message(store, late) == before
    assert [rows(store, table) for table in (ledger, optouts, message_readings)] == [[], [], []]
    assert noted.of == []


def test_what_is_not_there_is_said_to_be_so(again: Redecoding) -> None:
    for dry_run in (True, False):
        with pytest.raises(NoSuchMessage):
            decoded(again, uuid4(), dry_run=dry_run)


def test_many_are_read_again_part_by_part_until_none_is_left(store: Store, again: Redecoding) -> None:
    noted = Noted()
    count = 47
    wrong = [
        received(store, HOSPITAL, at=LONG_AGO + timedelta(hours=hour), src=f"139{hour:08}") for hour in range(count)
    ]
    other = received(store, HOSPITAL, at=LONG_AGO - timedelta(days=9))
    right = received(store, b"hello", at=LONG_AGO + timedelta(minutes=30))
    stops = [
        received(store, LATE_STOP, at=LONG_AGO + timedelta(hours=hour, minutes=1), src=f"138{hour % 2:08}")
        for hour in range(4)
    ]
    parts: list[Examined] = []
    last = None
    while not parts or last is not None:
        chosen = messages.Filter(since=LONG_AGO)
        part = again.some(chosen, Charset.GB18030, actor="li", newer_than=last or UUID(int=0), limit=25, notes=noted)
        parts.append(part)
        last = part.last
    assert [part.count for part in parts] == [25, 25, 2]
    changed = [each for part in parts for each in part.changed]
    assert [each.id for each in changed] == sorted([*wrong, *stops])
    assert sorted(noted.of) == sorted([*wrong, *stops])
    stopped = {each.id: each.stopped for each in changed if each.stopped}
    assert stopped.keys() == set(stops)
    assert sorted(stopped.values()) == [Stopped.OPTED_OUT] * 2 + [Stopped.REPEATED] * 2
    assert {row["since"] for row in rows(store, optouts)} == {
        LONG_AGO + timedelta(hours=hour, minutes=1) for hour in (0, 1)
    }, "of several stops the first one counts"
    assert message(store, other)["text"] != "医院", "it is not among those that were chosen"
    assert message(store, right)["text"] == "hello"
    assert verify(store).ok


def test_two_at_once_change_it_once(store: Store, again: Redecoding) -> None:
    late = [received(store, LATE_STOP, src=f"139{number:08}") for number in range(8)]
    results: list[Redecoded] = []
    start = threading.Barrier(4)

    def work(order: list[UUID]) -> None:
        start.wait()
        for each in order:
            results.append(decoded(again, each))

    def in_bulk() -> None:
        start.wait()
        results.extend(again.some(messages.Filter(), Charset.GB18030, actor="li", limit=100).changed)

    threads = [threading.Thread(target=work, args=[order]) for order in (late, late[::-1])]
    threads += [threading.Thread(target=in_bulk) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stopped = [each.id for each in results if each.stopped is not None]
    assert sorted(stopped) == sorted(late)
    assert sorted(row["message_id"] for row in rows(store, message_readings)) == sorted(late)
    assert len(verified_ledger(store)) == len(late)
    assert verify(store).ok


def test_nothing_is_kept_of_a_change_that_fails(store: Store, again: Redecoding) -> None:
    class Broken:
        def note(self, transaction: Any) -> None:
            raise RuntimeError("no audit, no change")

    late = received(store, LATE_STOP)
    before = message(store, late)
    with pytest.raises(RuntimeError):
        decoded(again, late, notes=lambda _: Broken())
    assert message(store, late) == before
    with store.reading() as connection:
        assert connection.execute(select(message_readings)).first() is None
        assert connection.execute(select(ledger)).first() is None
