"""A proof says what happened to one phone, and nobody can change what it says."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from receiver.optout.guard import blocked, note_blocked
from receiver.optout.proof import NothingKnown, as_json, prove
from receiver.optout.proof_check import check
from receiver.optout.proof_page import embedded_in_page, render_page
from receiver.optout.proof_pdf import attached_to_pdf, render_pdf
from receiver.optout.register import Register
from receiver.store import tables
from receiver.store.store import Store
from receiver.vocabulary import Delivery, Origin, Reading, Reply, new_id
from receiver.vocabulary.parse import parse
from receiver.vocabulary.proof import Document
from tests.intake.replies import quarantined, reply, verified_ledger
from tests.store.test_record import WINDOW, subscribe

PHONE = "+8613900000001"
MOMENT = datetime(2026, 5, 1, 2, 3, 4, 5678, tzinfo=UTC)


@pytest.fixture
def document(store: Store) -> Document:
    full_history(store)
    return prove(store, "139-0000-0001")


def full_history(store: Store) -> None:
    subscribe(store, PHONE, "weather", "新闻")
    others(store, 5)
    said(store, "src=%2B8613900000001&dst=106900&msg=%EF%BC%90%EF%BC%90%EF%BC%90%EF%BC%90", MOMENT)
    said(store, "src=13900000001&dst=106900&msg=0000+", MOMENT + timedelta(minutes=1))
    others(store, 3)
    Register(store).lift(PHONE, reason="用户来电要求恢复 😀 </script><b>\u202e", actor="李娜")
    store.record([], [quarantined(unsubscribes=PHONE)], WINDOW)
    note_blocked(store, blocked(store, [PHONE]).blocked, actor="system", detail={"send": "促销"})
    others(store, 4)


def said(store: Store, query: str, at: datetime) -> None:
    delivery = parse(query.encode(), Reading())
    assert isinstance(delivery, Delivery)
    store.record([Reply(new_id(), at, Origin.PUSH, "203.0.113.7", delivery)], [], WINDOW)


def others(store: Store, count: int) -> None:
    stops = [reply("0000", f"+861390001{number:04}") for number in range(count)]
    if stops:
        store.record(stops, [], WINDOW)


def test_a_proof_tells_the_whole_history(document: Document) -> None:
    assert check(document).problems == ()
    assert [entry["event"]["type"] for entry in document["events"]] == [
        "opted_out", "service_cancelled", "service_cancelled", "repeated", "lifted", "opted_out", "send_blocked",
    ]  # fmt: skip
    first, *_, lifted, again, stopped = [entry["event"] for entry in document["events"]]
    cause = document["causes"][first["message_id"]]
    assert cause["received_at"] == first["at"] == "2026-05-01T02:03:04.005678Z"
    assert (cause["src_wire"], cause["dst"], cause["peer"]) == ("+8613900000001", "106900", "203.0.113.7")
    assert (cause["text"], cause["charset"], cause["charset_certain"]) == ("００００", "utf-8", True)
    assert cause["raw_text"] == "%EF%BC%90" * 4
    assert (lifted["actor"], lifted["detail"]["reason"][:8]) == ("李娜", "用户来电要求恢复")
    kept = document["causes"][again["detail"]["quarantine_id"]]
    assert (kept["from"], kept["raw_text"]) == ("quarantine", "src=x&msg=\x00\\xff")
    assert stopped["detail"] == {"send": "促销"}
    assert document["state"]["opted_out"] is True
    assert document["state"]["since"] == again["at"]
    assert {row["service"] for row in document["subscriptions"] if row["cancelled_at"]} == {"weather", "新闻"}


def test_other_people_are_digests_only(store: Store, document: Document) -> None:
    assert "13900010" not in as_json(document)
    head = verified_ledger(store)[-1]
    assert document["head"] == {"sequence": head["sequence"], "hash": head["hash"]}


def test_a_lift_is_the_state_where_it_came_last(store: Store) -> None:
    store.record([reply("0000", PHONE)], [], WINDOW)
    Register(store).lift(PHONE, reason="asked", actor="li.na")
    document = prove(store, PHONE)
    assert check(document).problems == ()
    assert document["state"] == dict.fromkeys(document["state"], None) | {"opted_out": False}


@pytest.mark.parametrize("before", [0, 1, 6])
@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_phone_is_proven_wherever_it_stands(store: Store, before: int, after: int) -> None:
    others(store, before)
    store.record([reply("0000", PHONE)], [], WINDOW)
    others(store, after)
    assert check(prove(store, PHONE)).problems == ()


@pytest.mark.parametrize("place", [1, 500, 512, 999, 1000])
def test_a_proof_in_a_long_ledger_is_short(store: Store, place: int) -> None:
    others(store, place - 1)
    store.record([reply("0000", PHONE)], [], WINDOW)
    others(store, 1000 - place)
    document = prove(store, PHONE)
    assert check(document).problems == ()
    assert document["head"]["sequence"] == 1000
    assert len(document["start"]) + len(document["events"][0]["path"]) < 60


def test_a_message_that_was_purged_leaves_its_hash(store: Store, document: Document) -> None:
    with store.writing() as connection:
        connection.execute(delete(tables.messages))
    document = prove(store, PHONE)
    assert check(document).problems == ()
    event = document["events"][0]["event"]
    purged = [id_ for id_, cause in document["causes"].items() if cause == {"from": "messages", "purged": True}]
    assert event["message_id"] in purged
    assert check(document).notes[: len(purged)] == tuple(
        f"message {id_} is not in this proof: only the SHA-256 of its raw bytes" for id_ in purged
    )
    assert len(event["raw_sha256"]) == 64
    assert render_pdf(document)
    assert "已清除" in render_page(document)


def test_of_a_stranger_nothing_is_known(store: Store) -> None:
    others(store, 2)
    for written in ("13900000002", "SHOP", "\x00", "\ud800"):
        with pytest.raises(NothingKnown):
            prove(store, written)


@pytest.mark.parametrize(
    ("came", "written"),
    [
        ("移动", os.fsdecode("移动".encode("gb18030"))),
        ("\ufffd\ufffdx", "\udcff\udcffx"),
        ("GATE?WAY", "GATE\ud800WAY"),
        ("␀1", " \x001 "),
    ],
)
def test_a_sender_that_is_no_phone_is_found_as_it_came(store: Store, came: str, written: str) -> None:
    store.record([reply("0000", came)], [], WINDOW)
    for asked in (came, written):
        document = prove(store, asked)
        assert document["phone"] == came
        assert check(document).holds


def test_a_name_that_is_text_is_not_read_as_another(store: Store) -> None:
    store.record([reply("0000", "茅")], [], WINDOW)  # é in UTF-8, read as GB18030
    with pytest.raises(NothingKnown):
        prove(store, "é")


def test_a_phone_that_was_none_when_it_said_stop_is_found(store: Store) -> None:
    store.record([reply("0000", "13900000001")], [], WINDOW)
    assert prove(store, "13900000001")["phone"] == "13900000001"
    store.record([reply("0000", PHONE)], [], WINDOW)
    assert prove(store, "13900000001")["phone"] == PHONE
    Register(store).lift(PHONE, reason="asked", actor="li.na")
    document = prove(store, "13900000001")
    assert (document["phone"], document["state"]["opted_out"]) == ("13900000001", True), "what is in force comes first"
    assert check(document).holds


@pytest.mark.parametrize("name", ["since", "actor", "message_id", "source", "reason"])
def test_a_forged_row_of_the_register_is_found(store: Store, document: Document, name: str) -> None:
    forged = {"since": MOMENT, "actor": "wang", "message_id": new_id(), "source": "api", "reason": "a letter"}
    with store.writing() as connection:
        row = tables.optouts.update().where(tables.optouts.c.phone == PHONE)
        connection.execute(row.values({name: forged[name]}))
    assert any("in force" in problem for problem in check(prove(store, PHONE)).problems)


def test_a_message_that_was_changed_in_the_database_is_found(store: Store, document: Document) -> None:
    with store.writing() as connection:
        connection.execute(tables.messages.update().where(tables.messages.c.src == PHONE).values(raw=b"0001"))
    assert any("SHA-256" in problem for problem in check(prove(store, PHONE)).problems)


def test_a_register_that_says_otherwise_than_the_ledger_is_found(store: Store, document: Document) -> None:
    with store.writing() as connection:
        connection.execute(delete(tables.optouts).where(tables.optouts.c.phone == PHONE))
    assert any("in force" in problem for problem in check(prove(store, PHONE)).problems)


def test_page_and_pdf_hold_the_same_proof(document: Document) -> None:
    page = render_page(document)
    assert page.count("</script>") == 1
    assert "<b>" not in page
    embedded = embedded_in_page(page)
    attached = attached_to_pdf(render_pdf(document))
    assert embedded is not None
    assert attached is not None
    assert json.loads(embedded) == json.loads(attached) == document


def test_a_page_asks_for_nothing_from_elsewhere(document: Document) -> None:
    page = render_page(document)
    assert not [word for word in ("http:", "https:", 'src="', "href=", "url(", "@import") if word in page]


def test_the_head_that_was_kept_outside_must_be_the_proofs(document: Document) -> None:
    sequence, hash_ = document["head"].values()
    assert check(document, head=hash_.upper()).holds
    assert check(document, head=f"{sequence}:{hash_}").holds
    assert not check(document, head="1" * 64).holds
    assert not check(document, head=f"{sequence}:{'1' * 64}").holds
    assert check(document, head=f"{sequence + 1}:{hash_}").problems == (
        f"the head has the hash that you gave, but is said to be event {sequence}, not {sequence + 1}",
    )


def test_what_no_hash_holds_of_the_head_is_said(document: Document) -> None:
    sequence, hash_ = document["head"].values()
    for head in (None, hash_):
        (note,) = check(document, head=head).notes
        assert note.startswith(f"that the head is event {sequence} is what the path says, and no hash holds it")
    assert check(document, head=f"{sequence}:{hash_}").notes == ()


def run_script(tmp_path: Path, document: Document, *arguments: str) -> int:
    return run_script_on(tmp_path, document, as_json(document), *arguments)


def run_script_on(tmp_path: Path, document: Document, written: str, *arguments: str) -> int:
    """The exit status of the script in ``document``, given ``written`` as the proof's file."""
    script, file = tmp_path / "check.py", tmp_path / "proof.json"
    script.write_text(document["how_to_check"]["script"], encoding="utf-8")
    file.write_text(written)
    command = [sys.executable, "-I", "-S", str(script), str(file), *arguments]
    ran = subprocess.run(command, env={}, capture_output=True, cwd=tmp_path, check=False)
    return ran.returncode


def test_the_proofs_own_script_agrees(document: Document, tmp_path: Path) -> None:
    assert run_script(tmp_path, document) == 0
    assert run_script(tmp_path, document, document["head"]["hash"]) == 0
    sequence, hash_ = document["head"].values()
    assert run_script(tmp_path, document, f"{sequence}:{hash_}") == 0
    assert run_script(tmp_path, document, f"{sequence + 1}:{hash_}") == 1
    assert run_script(tmp_path, document, "1" * 64) == 1
