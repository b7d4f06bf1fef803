"""What one subscriber wrote is gone wherever it was, down to the database's files; what proves a refusal stays."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from sqlalchemy import String, cast, func, select, text, update

from receiver.gateway.sending import Found, Sending, SendRequest, settle
from receiver.intake.redecode import NoSuchMessage, Redecoding
from receiver.optout.erasure import Erased, NothingStored, erase
from receiver.optout.guard import blocked
from receiver.optout.proof import prove
from receiver.optout.proof_check import check
from receiver.optout.register import Register, Unexplained
from receiver.optout.verify import verify
from receiver.store import messages, search
from receiver.store.errors import Unavailable
from receiver.store.sends import State
from receiver.store.store import Store
from receiver.store.tables import (
    ledger,
    message_readings,
    metadata,
    optouts,
    pulled_replies,
    quarantine,
    send_batches,
    send_recipients,
    sends,
    subscriptions,
)
from receiver.store.tables import messages as stored
from receiver.vocabulary import Charset, Origin, Quarantined, Reading, Reason, Reply, Undeliverable, new_id
from receiver.vocabulary.register import Source
from tests.filled import WINDOW, Filled
from tests.intake.replies import rows
from tests.store.test_record import subscribe

pytestmark = pytest.mark.slow  # the whole file: it is begun with

PHONE, IDENTITY = "13912345678", "+8613912345678"
OTHER = "13800000001"
RIDDLE = "谜语-riddle"


@pytest.fixture
def filled(database_url: str) -> Iterator[Filled]:
    made = Filled(database_url)
    yield made
    made.store.close()


def erased(filled: Filled, phone: str = PHONE, **more: Any) -> Erased:
    return erase(filled.store, phone, region="CN", reason="asked for it", actor="li", **more)


def reply(filled: Filled, said: str, phone: str = PHONE) -> UUID:
    return filled.reply(f"src={phone}&dst=1069&msg={quote(said)}".encode())


def sent(filled: Filled, phones: list[str], said: str, *, state: State = State.ACCEPTED) -> UUID:
    made = Sending(filled.store).enqueue(SendRequest(phones, said), "li").send_id
    batch = state if state in (State.QUEUED, State.IN_DOUBT) else "answered"
    with filled.store.writing() as connection:
        connection.execute(update(send_batches).where(send_batches.c.send_id == made).values(state=batch))
        connection.execute(update(send_recipients).where(send_recipients.c.send_id == made).values(state=state))
    return made


def everything(filled: Filled) -> None:
    """All kinds of things of one subscriber."""
    sent(filled, [PHONE], f"{RIDDLE}？")
    reply(filled, RIDDLE)
    reply(filled, RIDDLE * 400)
    said = Reading(Charset.UTF_8).delivery(PHONE, "1069", f"{RIDDLE} 医院".encode("gbk"))
    pulled = Reply(new_id(), datetime.now(UTC), Origin.POLL, None, said, gateway_id="17", account="demo")
    filled.store.record([pulled], [], WINDOW)
    Redecoding(filled.store, Reading()).one(pulled.id, Charset.GB18030, actor="li")
    reply(filled, "0000")
    filled.kept(f"src={PHONE}&msg={RIDDLE}".encode())
    filled.kept(f"src={PHONE}&msg=0000&note={RIDDLE}".encode())
    with filled.store.writing() as connection:
        search.index(connection, limit=100)


def held(store: Store, said: str) -> list[str]:
    """Where the database holds a text, in any of its tables, as it is or in UTF-8 or GBK or escaped."""
    found = []
    with store.reading() as connection:
        for table in metadata.sorted_tables:
            for column in table.columns:
                if connection.dialect.name == "postgresql" and str(column.type) in ("BLOB", "BYTEA"):
                    shown: Any = func.encode(column, "escape")
                else:
                    shown = cast(column, String)
                if connection.execute(select(column).where(shown.like(f"%{said}%")).limit(1)).first():
                    found.append(f"{table.name}.{column.name}")
    return found


def test_nothing_of_what_was_written_is_left_in_any_table(filled: Filled) -> None:
    everything(filled)
    before = held(filled.store, "riddle")
    assert {place.partition(".")[0] for place in before} == {"messages", "message_readings", "quarantine", "sends"}
    done = erased(filled)
    assert (done.phone, done.messages, done.quarantined, done.recipients, done.open) == (IDENTITY, 4, 2, 1, 0)
    assert held(filled.store, "riddle") == []
    for table in (stored, message_readings, pulled_replies, quarantine):
        assert rows(filled.store, table) == []
    with filled.store.reading() as connection:
        assert list(messages.stream(connection, messages.Filter())) == []
        assert messages.page(connection, messages.Filter(text="谜"), limit=9) == []


def test_nothing_of_it_is_left_in_the_files(tmp_path: Path) -> None:
    filled = Filled(f"sqlite:///{tmp_path / 'receiver.db'}")
    other_process = Store(f"sqlite:///{tmp_path / 'receiver.db'}")
    assert rows(other_process, stored) == []  # and its connection stays open: without it the log would go of itself
    everything(filled)
    words = [b"riddle", "谜语".encode(), quote("谜语").encode(), "谜语".encode("gbk")]
    assert [word for word in words if any(word in data for data in files(tmp_path).values())] == words
    assert erased(filled).log_emptied
    assert [(word, name) for word in words for name, data in files(tmp_path).items() if word in data] == []
    assert (tmp_path / "receiver.db-wal").stat().st_size == 0
    other_process.close()
    filled.store.close()


def test_nor_of_a_row_that_was_changed_before(tmp_path: Path) -> None:
    filled = Filled(f"sqlite:///{tmp_path / 'receiver.db'}")
    pulled = [
        Reply(
            new_id(),
            datetime.now(UTC),
            Origin.POLL,
            None,
            Reading().delivery(PHONE if number < 3 else OTHER, "1069", b"riddle" if number < 3 else b"hello"),
            gateway_id=f"17{number}",
            account="demo",
        )
        for number in range(5)
    ]
    filled.store.record(pulled, [], WINDOW)
    assert erased(filled).messages == 3
    assert not any(b"riddle" in data for data in files(tmp_path).values())
    filled.store.close()


def files(directory: Path) -> dict[str, bytes]:
    """The database's files as they are on disk."""
    return {path.name: path.read_bytes() for path in directory.glob("receiver.db*")}


def test_the_opt_out_stays_and_is_proven_without_the_texts(filled: Filled) -> None:
    subscribe(filled.store, IDENTITY, "weather")
    reply(filled, "0000")
    filled.kept(f"src={PHONE}&msg=0000&note={RIDDLE}".encode())
    before = rows(filled.store, ledger), rows(filled.store, optouts), rows(filled.store, subscriptions)
    erased(filled)
    after = rows(filled.store, ledger), rows(filled.store, optouts), rows(filled.store, subscriptions)
    assert after[0][:-1] == before[0]
    assert after[1:] == before[1:]
    assert blocked(filled.store, ["139-1234-5678"]).blocked
    document = prove(filled.store, PHONE)
    outcome = check(document)
    assert outcome.problems == ()
    assert [cause["purged"] for cause in document["causes"].values()] == [True, True]
    assert document["events"][0]["event"]["raw_sha256"] == sha256(b"0000").hexdigest(), "what it was can still be shown"
    assert verify(filled.store).ok


def test_the_erasure_is_one_event_of_the_ledger(filled: Filled) -> None:
    asked = datetime.now(UTC)
    reply(filled, RIDDLE)
    reply(filled, "hi")
    filled.kept(f"src={PHONE}".encode())
    erased(filled)
    [event] = rows(filled.store, ledger)
    assert (event["type"], event["phone"], event["actor"]) == ("erased", IDENTITY, "li")
    assert event["detail"] == {"reason": "asked for it", "messages": 2, "quarantined": 1, "recipients": 0}
    assert asked <= event["at"] <= datetime.now(UTC)
    assert verify(filled.store).ok
    document = prove(filled.store, PHONE)
    assert check(document).problems == ()
    assert document["state"]["opted_out"] is False


@pytest.mark.parametrize("written", [PHONE, "+86 139 1234 5678", "0086-139-1234-5678", "１３９１２３４５６７８"])
def test_a_phone_is_found_in_any_written_form(filled: Filled, written: str) -> None:
    for form in ("13912345678", "%2B8613912345678", "139+1234+5678"):
        filled.reply(f"src={form}&dst=1069&msg={form}".encode())
    assert erased(filled, written).messages == 3
    assert rows(filled.store, stored) == []


def test_a_sender_that_is_no_phone_is_found_as_it_came(filled: Filled) -> None:
    reply(filled, RIDDLE, "SHOP")
    reply(filled, "hi", "SHOPS")
    done = erased(filled, " SHOP ")
    assert (done.phone, done.messages) == ("SHOP", 1)
    assert [row["src"] for row in rows(filled.store, stored)] == ["SHOPS"]


def test_what_others_wrote_stays(filled: Filled) -> None:
    kept = [
        reply(filled, f"call {PHONE}", OTHER),
        reply(filled, "0000", OTHER),
        reply(filled, "hi", PHONE + "9"),
        reply(filled, "hi", PHONE[:-1]),
    ]
    held_back = [filled.kept(f"src={OTHER}&msg=call {PHONE}".encode()), filled.kept(b"dst=1069&msg=hi")]
    others = sent(filled, [OTHER], RIDDLE)
    reply(filled, "mine")
    erased(filled)
    assert [row["id"] for row in rows(filled.store, stored)] == kept
    assert [row["id"] for row in rows(filled.store, quarantine)] == held_back
    assert [(row["id"], row["text"]) for row in rows(filled.store, sends)] == [(others, RIDDLE)]


@pytest.mark.parametrize(
    "raw",
    [
        f"src={PHONE}&dst=1069",
        "dst=1069&SRC=%2B86139-1234-5678",
        f"src=+86{PHONE}&src=13800000001&dst=1069&msg=x",
        f"GET /recv.asp?src={PHONE}&dst=1069&msg=x HTTP/1.1",
        f"GET /recv.asp?dst=1069&msg=x&src={PHONE} HTTP/1.1\r\nHost: x",
        f"id=17&err=&src=&msg=hi&dst={PHONE}&time=200505241713",
        f"src={PHONE[:3]}%20{PHONE[3:]}",
        f"\xff\x00 {PHONE}",
        "msg=" + quote("我的号码是１３９１２３４５６７８"),
    ],
)
def test_what_came_into_quarantine_is_found_however_it_came(filled: Filled, raw: str) -> None:
    filled.kept(raw.encode("latin-1") if "\xff" in raw else raw.encode(), reason=Reason.MALFORMED)
    assert erased(filled).quarantined == 1
    assert rows(filled.store, quarantine) == []


def test_many_deliveries_in_quarantine_are_all_looked_through(filled: Filled) -> None:
    now = datetime.now(UTC)
    queries = [f"src={PHONE if number % 3 == 0 else OTHER}&msg={number}".encode() for number in range(430)]
    kept = [
        Quarantined(new_id(), now, None, Undeliverable(Reason.MISSING_DST, "there is no dst", each)) for each in queries
    ]
    filled.store.record([], kept, WINDOW)
    assert erased(filled).quarantined == 144
    assert len(rows(filled.store, quarantine)) == 430 - 144


def test_the_phone_is_taken_out_of_sends_and_what_became_of_it_stays(filled: Filled) -> None:
    alone = sent(filled, [PHONE], RIDDLE)
    together = sent(filled, [PHONE, OTHER], "明天停水", state=State.REFUSED)
    assert erased(filled).recipients == 2
    texts = {row["id"]: row["text"] for row in rows(filled.store, sends)}
    assert texts == {alone: "", together: "明天停水"}
    people = {(row["send_id"], row["state"]): row for row in rows(filled.store, send_recipients)}
    assert people[alone, "accepted"]["phone"].startswith("erased-")
    phones = [row["phone"] for row in rows(filled.store, send_recipients)]
    assert sorted(phone[:7] for phone in phones) == ["+861380", "erased-", "erased-"]
    assert len(set(phones)) == 3
    assert not [row for row in rows(filled.store, send_recipients) if PHONE in row["phone"] + row["written"]]
    assert [row["written"] for row in rows(filled.store, send_recipients) if OTHER in row["phone"]] == [OTHER]


@pytest.mark.parametrize("state", [State.QUEUED, State.IN_DOUBT])
def test_what_is_open_stays_until_it_is_over_and_is_told(filled: Filled, state: State) -> None:
    made = sent(filled, [PHONE], RIDDLE, state=state)
    with pytest.raises(NothingStored, match="1 sends to it are open"):
        erased(filled)
    reply(filled, "hi")
    assert erased(filled).open == 1
    assert [row["phone"] for row in rows(filled.store, send_recipients)] == [IDENTITY]
    with filled.store.writing() as connection:
        connection.execute(update(send_recipients).values(state=State.IN_DOUBT))
    settle(filled.store, made, Found.SENT, phones=None, region="CN", actor="li", reason="the gateway's log has it")
    assert (erased(filled).recipients, held(filled.store, "riddle")) == (1, [])


def test_of_a_stranger_nothing_is_written(filled: Filled) -> None:
    reply(filled, "hi", OTHER)
    Register(filled.store).add([PHONE], source=Source.MANUAL, reason="by phone", actor="li")
    before = rows(filled.store, ledger)
    for phone in (PHONE, "13700000001", "SHOP", "\x00", "\ud800"):
        with pytest.raises(NothingStored):
            erased(filled, phone)
    assert rows(filled.store, ledger) == before


def test_the_same_again_finds_nothing_and_what_comes_in_later_is_new(filled: Filled) -> None:
    reply(filled, RIDDLE)
    erased(filled)
    with pytest.raises(NothingStored):
        erased(filled)
    later = reply(filled, "hello again")
    assert [row["id"] for row in rows(filled.store, stored)] == [later]
    assert [row["type"] for row in rows(filled.store, ledger)] == ["erased"]


@pytest.mark.parametrize(("reason", "actor"), [(" ", "li"), ("asked", ""), ("x" * 501, "li"), ("asked", "x" * 101)])
def test_who_and_why_must_be_said(filled: Filled, reason: str, actor: str) -> None:
    kept = reply(filled, RIDDLE)
    with pytest.raises(Unexplained):
        erase(filled.store, PHONE, region="CN", reason=reason, actor=actor)
    assert [row["id"] for row in rows(filled.store, stored)] == [kept]


def test_nothing_is_erased_without_its_row_in_the_audit(filled: Filled) -> None:
    class Broken:
        def note(self, transaction: Any) -> None:
            raise RuntimeError("no audit, no change")

    kept = reply(filled, RIDDLE)
    with pytest.raises(RuntimeError):
        erased(filled, note=Broken())
    assert [row["id"] for row in rows(filled.store, stored)] == [kept]
    assert rows(filled.store, ledger) == []


def test_a_subscriber_with_very_many_messages_is_erased_at_once(filled: Filled) -> None:
    said = Reading().delivery(PHONE, "1069", b"hello")
    filled.store.record([Reply(new_id(), datetime.now(UTC), Origin.PUSH, None, said) for _ in range(2_300)], [], WINDOW)
    with filled.store.writing() as connection:
        while search.index(connection, limit=1_000):
            pass
    assert erased(filled).messages == 2_300
    assert len(rows(filled.store, ledger)) == 1


def test_at_the_same_time_others_erase_decode_anew_and_index(filled: Filled) -> None:
    late = b"%20" * 100 + "００００".encode("gbk")
    many = []
    for number in range(60):
        said = Reading(Charset.UTF_8).delivery(PHONE, "1069", late if number == 30 else "医院".encode("gbk"))
        many.append(Reply(new_id(), datetime.now(UTC), Origin.PUSH, None, said))
    filled.store.record(many, [], WINDOW)
    results: list[object] = []
    start = threading.Barrier(5)

    def erase_it() -> None:
        start.wait()
        try:
            results.append(erased(filled))
        except NothingStored as nothing:
            results.append(nothing)

    def decode() -> None:
        again = Redecoding(filled.store, Reading())
        start.wait()
        for each in many:
            try:
                again.one(each.id, Charset.GB18030, actor="li")
            except NoSuchMessage:
                break

    def index() -> None:
        start.wait()
        for _ in range(40):
            with filled.store.writing() as connection:
                search.index(connection, limit=5)

    threads = [threading.Thread(target=work) for work in (erase_it, erase_it, decode, decode, index)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([each for each in results if isinstance(each, Erased)]) == 1
    assert len(results) == 2
    for table in (stored, message_readings):
        assert rows(filled.store, table) == []
    with filled.store.reading() as connection:
        if connection.dialect.name == "postgresql":
            assert connection.scalar(text("SELECT count(*) FROM message_search")) == 0
    assert [row["type"] for row in rows(filled.store, ledger)].count("erased") == 1
    assert verify(filled.store).ok


def test_a_log_that_can_not_be_emptied_makes_no_erasure_fail(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> bool:
        raise Unavailable("OperationalError: database or disk is full")

    reply(filled, RIDDLE)
    monkeypatch.setattr(filled.store, "empty_log", fail)
    assert not erased(filled).log_emptied
    assert rows(filled.store, stored) == []
    assert "disk is full" in caplog.text
    assert PHONE not in caplog.text


def test_a_log_that_somebody_reads_is_told_of_and_emptied_later(tmp_path: Path) -> None:
    filled = Filled(f"sqlite:///{tmp_path / 'receiver.db'}")
    reply(filled, RIDDLE)
    waited: list[float] = []
    with ExitStack() as reader:
        connection = reader.enter_context(filled.store.reading())
        assert connection.execute(select(stored.c.text)).scalars().all() == [RIDDLE]
        assert not erased(filled, sleep=waited.append).log_emptied
        assert len(waited) == 20
        reply(filled, "nobody waits", OTHER)
    assert filled.store.empty_log()
    assert all("谜语".encode() not in data for data in files(tmp_path).values())
    filled.store.close()
