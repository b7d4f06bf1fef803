"""Nobody can change a proof, or leave out or move what it says, without the check and its own script finding it."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.optout.proof import as_json, prove
from receiver.optout.proof_check import check
from receiver.store.store import Store
from receiver.vocabulary.proof import FORMAT, VERSION, Document, fingerprint
from tests.optout.test_proof import PHONE, full_history, run_script, run_script_on

Tamper = Callable[[Document], Any]


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """One proof to be forged: nothing of a database is left in it."""
    opened = Store(f"sqlite:///{tmp_path_factory.mktemp('proof') / 'receiver.db'}")
    opened.ensure_current()
    full_history(opened)
    made = prove(opened, PHONE)
    opened.close()
    return made


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        yield place
    else:
        for name, child in children:
            yield from leaves(child, (*place, name))


def changed(document: Document, place: tuple[Any, ...], *, remove: bool = False) -> Document:
    made = copy.deepcopy(document)
    inner: Any = made
    for name in place[:-1]:
        inner = inner[name]
    value = inner[place[-1]]
    if remove:
        del inner[place[-1]]
    elif isinstance(value, bool):
        inner[place[-1]] = not value
    elif isinstance(value, int):
        inner[place[-1]] = value + 1
    elif isinstance(value, str) and len(value) == 64:
        inner[place[-1]] = ("1" if value[0] != "1" else "2") + value[1:]
    else:
        inner[place[-1]] = f"{value}x"
    return made


def sealed(document: Document) -> Document:
    return {**document, "fingerprint": fingerprint(document)}


def test_nothing_at_all_can_be_changed_or_removed(proven: Document) -> None:
    places = list(leaves(proven))
    assert len(places) > 150
    for place in places:
        assert not check(changed(proven, place)).holds, place
        assert not check(changed(proven, place, remove=True)).holds, place


def bound(place: tuple[Any, ...]) -> bool:
    """Whether the ledger's hashes hold it, so that a new fingerprint doesn't help the forger."""
    return place[0] in ("start", "events", "head", "phone", "state") or (
        place[0] == "causes" and place[-1] in ("raw_text", "raw_base64", "raw_sha256", "received_at", "text", "from")
    )


def test_what_the_ledger_binds_can_not_be_forged_with_a_new_fingerprint(proven: Document) -> None:
    for place in filter(bound, leaves(proven)):
        assert not check(sealed(changed(proven, place))).holds, place


@pytest.mark.parametrize("origin", ["poll", "import", None])
def test_a_text_is_read_again_wherever_it_is_said_to_come_from(proven: Document, origin: str | None) -> None:
    forged = copy.deepcopy(proven)
    said = [cause for cause in forged["causes"].values() if cause["from"] == "messages"]
    said[0]["origin"] = origin
    assert check(sealed(forged)).holds, "where it came from is the database's word"
    said[0]["text"] = "please go on"
    assert any("its text is not that" in problem for problem in check(sealed(forged)).problems)
    said[0].update(charset="auto", text=proven["causes"][forged["events"][0]["event"]["message_id"]]["text"])
    assert not check(sealed(forged)).holds, "a charset is decided, and never auto"


def test_a_message_taken_out_is_noted(proven: Document) -> None:
    for identity, cause in proven["causes"].items():
        forged = copy.deepcopy(proven)
        forged["causes"][identity] = {"from": cause["from"], "purged": True}
        outcome = check(sealed(forged))
        assert outcome.holds
        name = "message" if cause["from"] == "messages" else "quarantined delivery"
        assert f"{name} {identity} is not in this proof: only the SHA-256 of its raw bytes" in outcome.notes
        forged["causes"][identity]["text"] = "0000"
        assert not check(sealed(forged)).holds


@pytest.mark.parametrize(
    "place", [("answer", "en"), ("how_to_check", "zh"), ("how_to_check", "script")], ids=lambda place: "-".join(place)
)
def test_another_text_than_ours_is_noted(proven: Document, place: tuple[Any, ...]) -> None:
    assert not any("not checked" in note for note in check(proven).notes)
    outcome = check(sealed(changed(proven, place)))
    assert outcome.holds
    text = f"{place[0]} is not the text that this version of the receiver writes: it was not checked"
    assert text in outcome.notes


def objects(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the objects of a proof are whose members are fixed."""
    if isinstance(value, dict):
        if place[-1:] != ("causes",):
            yield place
        value = value.items()
    elif isinstance(value, list):
        value = enumerate(value)
    else:
        return
    for name, child in value:
        if name not in ("detail", "answer", "how_to_check"):
            yield from objects(child, (*place, name))


def test_nothing_can_be_said_besides(proven: Document) -> None:
    places = list(objects(proven))
    assert {(), ("state",), ("head",), ("events", 0), ("start", 0), ("subscriptions", 0)} < set(places)
    for place in places:
        forged = copy.deepcopy(proven)
        inner: Any = forged
        for name in place:
            inner = inner[name]
        inner["note"] = "he never said so"
        assert not check(sealed(forged)).holds, place


def test_a_cause_that_no_event_names_is_refused(proven: Document, tmp_path: Path) -> None:
    forged = copy.deepcopy(proven)
    forged["causes"]["01a205a1-6e16-7f87-ba12-ce54bc979421"] = next(iter(forged["causes"].values()))
    (problem,) = check(sealed(forged)).problems
    assert problem == "message 01a205a1-6e16-7f87-ba12-ce54bc979421 is one that no event names"
    assert run_script(tmp_path, sealed(forged)) == 1


FORGERIES: list[Tamper] = [
    lambda proof: proof["events"].pop(0),
    lambda proof: proof["events"].pop(3),
    lambda proof: proof["events"].pop(),
    lambda proof: proof["events"].clear(),
    lambda proof: proof["events"].reverse(),
    lambda proof: proof["events"].insert(0, proof["events"].pop(1)),
    lambda proof: proof["events"].append(proof["events"][-1]),
    lambda proof: proof["start"].pop(),
    lambda proof: proof["start"].clear(),
    lambda proof: proof["events"][-1]["path"].pop(),
    lambda proof: proof["head"].update(hash=proof["events"][-1]["hash"]),
    lambda proof: proof["events"][0]["event"].update(more=1),
    lambda proof: proof["causes"].clear(),
    lambda proof: proof["causes"].update(dict.fromkeys(proof["causes"], next(iter(proof["causes"].values())))),
]


@pytest.mark.parametrize("forge", FORGERIES)
def test_no_event_can_be_dropped_added_or_moved(proven: Document, forge: Tamper) -> None:
    forged = copy.deepcopy(proven)
    forge(forged)
    assert not check(sealed(forged)).holds


def test_what_is_missing_is_found_where_the_rest_can_not_have_happened(proven: Document) -> None:
    forged = copy.deepcopy(proven)
    forged["events"] = [entry for entry in forged["events"] if entry["event"]["type"] != "lifted"]
    assert any("some are missing" in problem for problem in check(sealed(forged)).problems)


@pytest.mark.parametrize("forge", FORGERIES[:11])
def test_the_script_finds_forgeries(proven: Document, forge: Tamper, tmp_path: Path) -> None:
    forged = copy.deepcopy(proven)
    forge(forged)
    assert run_script(tmp_path, forged) == 1
    assert run_script(tmp_path, sealed(forged)) == 1


SPOTS: list[tuple[Any, ...]] = [
    ("events", 0, "event", "at"),
    ("events", 0, "event", "actor"),
    ("events", 4, "event", "detail", "reason"),
    ("events", 1, "previous"),
    ("events", 1, "skipped"),
    ("events", 2, "hash"),
    ("events", 0, "path", 0, "digest"),
    ("start", 0, "other"),
    ("head", "sequence"),
    ("head", "hash"),
    ("phone",),
    ("state", "opted_out"),
    ("state", "since"),
    ("state", "actor"),
    ("state", "source"),
    ("state", "reason"),
    ("state", "message_id"),
]


@pytest.mark.parametrize("place", SPOTS)
def test_the_script_finds_changes(proven: Document, place: tuple[Any, ...], tmp_path: Path) -> None:
    assert run_script(tmp_path, changed(proven, place)) == 1
    assert run_script(tmp_path, sealed(changed(proven, place))) == 1


def test_the_script_finds_other_raw_bytes(proven: Document, tmp_path: Path) -> None:
    forged = copy.deepcopy(proven)
    cause = next(cause for cause in forged["causes"].values() if cause["from"] == "messages")
    cause["raw_base64"] = "MDAwMQ=="
    assert run_script(tmp_path, sealed(forged)) == 1


def test_the_script_refuses_what_is_said_twice(proven: Document, tmp_path: Path) -> None:
    twice = as_json(proven).replace('"actor": "', '"actor": "wang.wei", "actor": "', 1)
    assert json.loads(twice) == proven
    assert run_script_on(tmp_path, proven, twice) == 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(ANYTHING)
def test_what_is_no_proof_is_refused_whatever_it_is(value: Any) -> None:
    assert not check(value).holds


@given(st.fixed_dictionaries(dict.fromkeys(("events", "causes", "start", "head", "state", "fingerprint"), ANYTHING)))
def test_what_only_says_that_it_is_one_is_refused(members: dict[str, Any]) -> None:
    assert not check({"format": FORMAT, "version": VERSION, **members}).holds
