"""Nobody can change a proof, or leave out or move what it says, without the check and its own script finding it."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from receiver.optout.proof import prove
from receiver.store.store import Store
from receiver.vocabulary.proof import Document, check, fingerprint
from tests.optout.test_proof import PHONE, full_history, run_script

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
        assert check(changed(proven, place)), place
        assert check(changed(proven, place, remove=True)), place


def bound(place: tuple[Any, ...]) -> bool:
    """Whether the ledger's hashes hold it, so that a new fingerprint doesn't help the forger."""
    return place[0] in ("start", "events", "head", "phone") or (place[-1] in (
        "raw_text", "raw_base64", "raw_sha256", "received_at", "opted_out", "since", "text",
    ) and place[0] in ("causes", "state"))  # fmt: skip


def test_what_the_ledger_binds_can_not_be_forged_with_a_new_fingerprint(proven: Document) -> None:
    kept = {id_ for id_, cause in proven["causes"].items() if cause["from"] == "quarantine"}
    for place in filter(bound, leaves(proven)):
        if place[-1] == "text" and place[1] in kept:
            continue
        assert check(sealed(changed(proven, place))), place


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
    assert check(sealed(forged))


def test_what_is_missing_is_found_where_the_rest_can_not_have_happened(proven: Document) -> None:
    forged = copy.deepcopy(proven)
    forged["events"] = [entry for entry in forged["events"] if entry["event"]["type"] != "lifted"]
    assert any("some are missing" in problem for problem in check(sealed(forged)))


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
