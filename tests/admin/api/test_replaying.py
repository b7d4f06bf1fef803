"""Replay over the API: once, with what it was, and strangers only where somebody vouches for them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from receiver.optout.verify import verify
from receiver.vocabulary import Reason
from receiver.vocabulary.ledger import timestamp
from tests.admin.client import Api
from tests.admin.conftest import Admin

LONG_AGO = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def everything(api: Api, **wanted: Any) -> tuple[list[dict[str, Any]], int, int]:
    """All that a replay of many did: its items, how many it left out, and how many calls it took."""
    items: list[dict[str, Any]] = []
    left_out = calls = 0
    further: dict[str, Any] = {}
    while not calls or further["newer_than"] is not None:
        part = api.post("/quarantine/replay", {**wanted, **further}).ok()
        items, left_out, calls = items + part["items"], left_out + part["left_out"], calls + 1
        further = {"newer_than": part["next"]}
    return items, left_out, calls


def test_an_unsubscribe_of_a_stranger_that_is_named_is_in_force_with_the_answer(admin: Admin) -> None:
    api = admin.all_powerful
    kept = admin.filled.kept(
        b"src=13966660001&dst=1069&msg=0000", reason=Reason.SOURCE, peer="198.51.100.1", at=LONG_AGO
    )
    done = api.post(f"/quarantine/{kept}/replay").ok()
    assert done == {
        "id": str(kept), "status": "replayed", "kind": "unsubscribe", "duplicate_of": None, "detail": None
    }  # fmt: skip
    known = api.get("/optouts/13966660001").ok()
    assert (known["opted_out"], known["optout"]["since"]) == (True, timestamp(LONG_AGO))
    assert api.get(f"/messages/{kept}").ok()["received_at"] == timestamp(LONG_AGO)
    again = api.post(f"/quarantine/{kept}/replay").ok()
    assert (again["status"], again["kind"]) == ("already replayed", None)
    [noted] = admin.rows("audit", action="quarantine.replayed", target=str(kept))
    assert (noted["via"], noted["peer"]) == ("api", "127.0.0.1")
    assert verify(admin.store).ok


def test_what_can_not_be_accepted_stays_and_is_told_why(admin: Admin) -> None:
    api = admin.all_powerful
    kept = admin.filled.kept(b"src=13966660002&msg=hello")
    assert "there is no parameter dst" in api.post(f"/quarantine/{kept}/replay").problem(422)["detail"]
    assert api.get(f"/quarantine/{kept}").ok()["replayed_at"] is None
    assert admin.rows("audit", action="quarantine.replayed", target=str(kept)) == []
    api.post(f"/quarantine/{uuid4()}/replay").problem(404)
    for wrong in ({"limit": 0}, {"limit": 201}, {"reason": "none"}, {"since": "2026-01-01T00:00:00"}, {"all": True}):
        problem = api.post("/quarantine/replay", wrong).problem(422)
        assert [error["field"] for error in problem["errors"]] == [next(iter(wrong))]


def test_what_was_pulled_is_read_as_an_answer(admin: Admin) -> None:
    raw = b"id=9586&err=&src=13966660003&msg=100%25+1&dst=1069&time=202606031700\n"
    kept = admin.filled.kept(raw, reason=Reason.UNREADABLE, peer=None)
    assert admin.all_powerful.post(f"/quarantine/{kept}/replay").ok()["status"] == "replayed"
    message = admin.all_powerful.get(f"/messages/{kept}").ok()
    assert (message["origin"], message["gateway_id"], message["src"]) == ("poll", "9586", "+8613966660003")


def test_many_go_oldest_first_part_by_part_and_strangers_where_someone_vouches_for_them(admin: Admin) -> None:
    api, day = admin.all_powerful, datetime(2026, 3, 1, tzinfo=UTC)
    within = {"since": timestamp(day), "until": timestamp(day + timedelta(days=1))}

    def kept(minute: int, text: str, reason: Reason, peer: str) -> str:
        said = f"src=13966660004&dst=1069&msg={text}".encode()
        return str(admin.filled.kept(said, reason=reason, peer=peer, at=day + timedelta(minutes=minute)))

    ours = [kept(minute, "same", Reason.METHOD, "127.0.0.1") for minute in (1, 2)]
    allowed = kept(3, "allowed", Reason.SOURCE, "127.0.0.1")
    strangers = [kept(minute, f"stranger{minute}", Reason.SOURCE, "198.51.100.7") for minute in (4, 5)]
    bad = str(admin.filled.kept(b"src=13966660004", at=day + timedelta(minutes=6)))
    later = kept(60 * 24, "later", Reason.METHOD, "127.0.0.1")

    items, left_out, calls = everything(api, **within, limit=2)
    assert ([item["id"] for item in items], left_out, calls) == ([*ours, allowed, bad], 2, 3)
    assert [item["status"] for item in items] == ["replayed"] * 3 + ["left"]
    assert [item["duplicate_of"] for item in items] == [None, ours[0], None, None]
    assert [item["id"] for item in everything(api, **within)[0]] == [bad]
    items, left_out, _ = everything(api, **within, peer="198.51.100.7")
    assert ([item["id"] for item in items if item["status"] == "replayed"], left_out) == (strangers, 0)
    assert api.get(f"/quarantine/{later}").ok()["replayed_at"] is None
    for each in [*ours, allowed, *strangers]:
        assert len(admin.rows("audit", action="quarantine.replayed", target=each)) == 1


def test_a_reason_vouches_too(admin: Admin) -> None:
    kept = str(admin.filled.kept(b"src=13966660005&dst=1069&msg=a", reason=Reason.TOKEN, peer="198.51.100.8"))
    items, left_out, _ = everything(admin.all_powerful, reason="wrong-token")
    assert ([item["id"] for item in items], left_out) == ([kept], 0)
