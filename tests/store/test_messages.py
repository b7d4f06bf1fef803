"""Reading messages: what no command line shows."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from receiver.store import messages
from receiver.store.messages import reading
from receiver.store.store import Store
from receiver.vocabulary import Delivery, Origin, Reading, Reply, new_id
from receiver.vocabulary.parse import parse


def _record(store: Store, *replies: Reply) -> None:
    store.record(replies, [], timedelta(seconds=120))


def _reply(words: str, at: datetime | None = None) -> Reply:
    said = parse(f"src=13912345678&dst=1069&msg={words}".encode(), Reading())
    assert isinstance(said, Delivery)
    return Reply(new_id(), at or datetime.now(UTC), Origin.PUSH, None, said)


def test_a_reply_of_a_clock_that_was_set_back_is_found_by_its_time(store: Store) -> None:
    # Its id stays ahead of its time (vocabulary.ids).
    back = datetime.now(UTC) - timedelta(hours=11)
    _record(store, _reply("back", back), _reply("now"))
    chosen = messages.Filter(since=back - timedelta(hours=1), until=back + timedelta(hours=1))
    with store.reading() as connection:
        assert [row["text"] for row in messages.page(connection, chosen, limit=9)] == ["back"]


@pytest.mark.parametrize(("part", "found"), [("%", "50%"), ("_", "a_b"), ("/", "a/b"), ("\\", "a\\b"), ("'", "it's")])
def test_a_substring_has_no_wildcards(part: str, found: str, store: Store) -> None:
    _record(store, *[_reply(each) for each in ("50%", "a_b", "a/b", "a\\b", "it's", "plain")])
    with store.reading() as connection:
        rows = messages.page(connection, messages.Filter(text=part), limit=9)
    assert [row["text"] for row in rows] == [found]


def test_a_stream_is_the_pages_in_a_row(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_FETCHED", 3)
    _record(store, *[_reply(str(number)) for number in range(10)])
    with store.reading() as connection:
        streamed = [row["id"] for row in messages.stream(connection, messages.Filter())]
        assert streamed == [row["id"] for row in messages.page(connection, messages.Filter(), limit=500)]
    assert len(streamed) == 10


def test_a_stream_stays_on_the_server_until_it_is_read(postgresql_url: str) -> None:
    # SQLite reads row by row anyhow.
    store = Store(postgresql_url, pooled=False)
    _record(store, _reply("1"), _reply("2"))
    with store.reading() as connection:
        rows = messages.stream(connection, messages.Filter())
        assert next(rows)["text"] == "2"
        assert connection.scalar(text("SELECT count(*) FROM pg_cursors")) == 1
        assert next(rows)["text"] == "1"
        rows.close()
        assert connection.scalar(text("SELECT count(*) FROM pg_cursors")) == 0
    store.close()
