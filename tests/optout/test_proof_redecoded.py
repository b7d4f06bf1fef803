"""A proof stays right when a message that it rests on is decoded anew: every reading is shown, and read again."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from receiver.intake.redecode import Redecoding
from receiver.optout.proof import prove
from receiver.optout.proof_check import check
from receiver.optout.proof_page import render_page
from receiver.optout.proof_pdf import attached_to_pdf, render_pdf
from receiver.store.store import Store
from receiver.vocabulary import Charset, Origin, Reading, Reply, keyword_set, new_id
from receiver.vocabulary.ledger import timestamp
from receiver.vocabulary.proof import Document
from tests.optout.test_proof import PHONE, run_script
from tests.optout.test_proof_tampered import changed, leaves, sealed
from tests.store.test_record import WINDOW

MOMENT = datetime(2026, 5, 1, 2, 3, 4, 5678, tzinfo=UTC)
LATE_STOP = b"%20" * 100 + "００００".encode("gbk")


def received(store: Store, raw: bytes, reading: Reading) -> UUID:
    said = reading.delivery("13900000001", "106900", raw)
    store.record([Reply(made := new_id(), MOMENT, Origin.PUSH, "203.0.113.7", said)], [], WINDOW)
    return made


@pytest.fixture
def found_late(store: Store) -> Document:
    """Of a stop that nobody saw in the charset that the installation was set to."""
    message = received(store, LATE_STOP, Reading(Charset.UTF_8))
    Redecoding(store, Reading()).one(message, Charset.GB18030, actor="李娜")
    return prove(store, PHONE)


@pytest.fixture
def taken_back(store: Store) -> Document:
    """Of a stop whose text says something else in another charset."""
    message = received(store, "退订".encode(), Reading(Charset.UTF_8, keywords=keyword_set(["退订"])))
    Redecoding(store, Reading()).one(message, Charset.GB18030, actor="李娜")
    return prove(store, PHONE)


def test_a_stop_that_was_found_by_decoding_anew_is_proven_with_when_it_came_and_when_it_was_found(
    found_late: Document, tmp_path: Path
) -> None:
    assert check(found_late).problems == ()
    assert run_script(tmp_path, found_late) == 0
    [entry] = found_late["events"]
    event = entry["event"]
    assert (event["type"], event["at"], event["actor"]) == ("opted_out", timestamp(MOMENT), "subscriber")
    assert event["detail"]["redecoded_by"] == "李娜"
    assert event["detail"]["redecoded_at"] > event["at"]
    cause = found_late["causes"][event["message_id"]]
    assert (cause["kind"], cause["charset"], cause["text"].strip()) == ("unsubscribe", "gb18030", "００００")
    [earlier] = cause["readings"]
    assert (earlier["kind"], earlier["charset"], earlier["charset_certain"]) == ("reply", "utf-8", False)
    assert earlier["actor"] == "李娜"


def test_a_stop_that_says_something_else_in_another_charset_stands_and_the_check_says_so(
    taken_back: Document, tmp_path: Path
) -> None:
    outcome = check(taken_back)
    assert outcome.holds
    assert run_script(tmp_path, taken_back) == 0
    assert taken_back["state"]["opted_out"] is True
    [cause] = taken_back["causes"].values()
    assert (cause["kind"], [reading["text"] for reading in cause["readings"]]) == ("reply", ["退订"])
    assert any("was an unsubscribe as it was read when it came" in note for note in outcome.notes)


def test_page_and_pdf_show_every_reading(taken_back: Document) -> None:
    page = render_page(taken_back)
    [cause] = taken_back["causes"].values()
    for shown in ("此前的解读", "How it was read until", "退订", cause["text"]):
        assert shown in page
    assert attached_to_pdf(render_pdf(taken_back)) is not None


def test_no_reading_can_be_changed_or_removed(taken_back: Document) -> None:
    proven = taken_back
    places = [place for place in leaves(proven) if "readings" in place]
    assert {place[-1] for place in places} == {"at", "actor", "text", "charset", "charset_certain", "kind"}
    for place in places:
        assert not check(changed(proven, place)).holds, place
        assert not check(sealed(changed(proven, place, remove=True))).holds, place
        if place[-1] in ("text", "charset"):
            assert not check(sealed(changed(proven, place))).holds, place


FORGERIES: list[tuple[str, Callable[[Any], Any]]] = [
    ("was never read as an unsubscribe", lambda cause: cause.pop("readings")),
    ("was never read as an unsubscribe", lambda cause: cause["readings"][0].update(kind="reply")),
    ("lacks a member, or has one too many: readings", lambda cause: cause.update(readings=[])),
    ("lacks a member, or has one too many: by", lambda cause: cause["readings"][0].update(by="wang")),
    ("not made as a proof is", lambda cause: cause.update(readings=7)),
    ("not made as a proof is", lambda cause: cause.update(readings=["x"])),
]


@pytest.mark.parametrize(("problem", "forge"), FORGERIES)
def test_readings_that_are_forged_or_left_out_are_found(
    problem: str, forge: Callable[[Any], Any], taken_back: Document
) -> None:
    forged = copy.deepcopy(taken_back)
    [cause] = forged["causes"].values()
    forge(cause)
    outcome = check(sealed(forged))
    assert any(problem in each for each in outcome.problems), outcome
