"""A reply that is pulled is one message however often it is read, and is flagged where it was pushed as well."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from receiver.store.store import Store
from receiver.store.tables import messages
from receiver.vocabulary import Origin, Reply, earliest_id, new_id
from tests.intake.replies import reply, rows, verified_ledger

WINDOW = timedelta(seconds=120)
NOW = datetime(2026, 6, 3, 9, 0, 30, tzinfo=UTC)


def pulled(text: str = "hello", number: str = "9586", sent: datetime = NOW, at: datetime = NOW) -> Reply:
    said = replace(reply(text).delivery, raw=text.encode("utf-16"))  # other bytes than those of a push
    return Reply(new_id(), at, Origin.POLL, None, said, gateway_id=number, sent_at=sent)


def record(store: Store, *replies: Reply) -> None:
    store.record(replies, [], WINDOW)


def test_a_pulled_reply_keeps_its_number_and_the_time_it_was_sent_at(store: Store) -> None:
    record(store, pulled(sent=NOW - timedelta(minutes=5)))
    (row,) = rows(store, messages)
    assert (row.origin, row.gateway_id, row.sent_at, row.duplicate_of) == (
        "poll", "9586", NOW - timedelta(minutes=5), None,
    )  # fmt: skip


def test_the_same_number_with_the_same_words_is_one_message(store: Store) -> None:
    first = pulled("0000")
    record(store, first)
    record(store, pulled("0000"), pulled("0000"))
    record(store, first)
    assert [row.id for row in rows(store, messages)] == [first.id]
    assert [event.type for event in verified_ledger(store)] == ["opted_out"]


def test_the_same_number_with_other_words_is_another_message(store: Store) -> None:
    record(store, pulled("hello"), pulled("0000"))
    assert [row.text for row in rows(store, messages)] == ["hello", "0000"]
    assert [event.type for event in verified_ledger(store)] == ["opted_out"]


def test_a_reply_that_was_pushed_when_it_was_sent_and_is_pulled_later_is_flagged(store: Store) -> None:
    pushed = replace(reply("hello"), received_at=NOW)
    pushed = replace(pushed, id=_id_of(NOW))
    record(store, pushed)
    later = NOW + timedelta(hours=6)
    fresh = replace(pulled(at=later), id=_id_of(later))
    record(store, fresh, replace(pulled("other", "9587", at=later), id=_id_of(later, 1)))
    found = {row.text + row.origin: row.duplicate_of for row in rows(store, messages)}
    assert found == {"hellopush": None, "hellopoll": pushed.id, "otherpoll": None}


def test_a_reply_that_is_pulled_and_then_pushed_is_flagged(store: Store) -> None:
    first = pulled(at=datetime.now(UTC))
    record(store, first)
    record(store, reply("hello"), reply("other"))
    assert {row.text + row.origin: row.duplicate_of for row in rows(store, messages)} == {
        "hellopoll": None, "hellopush": first.id, "otherpush": None,
    }  # fmt: skip


def _id_of(moment: datetime, more: int = 0) -> UUID:

    return UUID(int=earliest_id(moment).int + 1 + more)
