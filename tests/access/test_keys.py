"""Keys: shown once, kept as a hash, compared in constant time, ended for good."""

import hmac
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from receiver.access import Act, Action, KeyRefused, Keys, NoSuchKey, Scope
from receiver.access.audit import Via
from receiver.access.scopes import allows
from receiver.store.store import Store
from receiver.store.tables import api_keys, audit

NOW = datetime(2026, 6, 3, 9, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(store: Store, clock: Clock) -> Keys:
    return Keys(store, clock)


def test_a_token_opens_as_long_as_its_key_is_valid(keys: Keys, clock: Clock) -> None:
    made = keys.create("crm", [Scope.MESSAGES_READ], actor="li", expires_at=NOW + timedelta(days=1))
    assert keys.authenticate(made.token).scopes == {Scope.MESSAGES_READ}
    clock.now += timedelta(days=1)
    with pytest.raises(KeyRefused, match=f"{made.key.prefix} is expired"):
        keys.authenticate(made.token)


def test_a_revoked_key_says_so_to_its_holder_alone(keys: Keys) -> None:
    made = keys.create("crm", [Scope.ADMIN], actor="li")
    keys.revoke(made.key.prefix, actor="wang")
    with pytest.raises(KeyRefused, match="is revoked"):
        keys.authenticate(made.token)
    with pytest.raises(KeyRefused, match=r"^there is no such key$"):
        keys.authenticate(made.token[:-1] + ("A" if made.token[-1] != "A" else "B"))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "rcv_",
        "secret",
        f"rcv_0000000g_{'x' * 43}",
        f"rcv_00000000_{'x' * 42}",
        f"rcv_00000000_{'x' * 43}",
        "\ud800",
        "é",
    ],
)
def test_what_is_no_key_is_refused_without_being_repeated(token: str, keys: Keys) -> None:
    with pytest.raises(KeyRefused, match=r"^there is no such key$"):
        keys.authenticate(token)


def test_the_secret_is_compared_in_constant_time_whether_there_is_such_a_key_or_not(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = keys.create("crm", [Scope.ADMIN], actor="li")
    compared = []

    def compare(ours: str, theirs: str) -> bool:
        compared.append((ours, theirs))
        return ours == theirs

    monkeypatch.setattr(hmac, "compare_digest", compare)
    keys.authenticate(made.token)
    for token in (f"{made.key.prefix}_{'x' * 43}", f"rcv_00000000_{'x' * 43}", "nothing"):
        with pytest.raises(KeyRefused):
            keys.authenticate(token)
    assert len(compared) == 4
    assert all(len(ours) == len(theirs) == 64 for ours, theirs in compared)


def test_the_database_holds_no_token(keys: Keys, store: Store) -> None:
    made = keys.create("crm", [Scope.ADMIN], actor="li")
    assert made.token not in repr(made)
    with store.reading() as transaction:
        row = transaction.execute(select(api_keys)).mappings().one()
    assert made.token.removeprefix(made.key.prefix) not in str(dict(row))
    assert len(row["hash"]) == 64


def test_the_last_use_is_noted_once_a_minute(keys: Keys, clock: Clock) -> None:
    made = keys.create("crm", [Scope.ADMIN], actor="li")
    for seconds, noted in ((0, 0), (59, 0), (60, 60), (119, 60), (180, 180)):
        clock.now = NOW + timedelta(seconds=seconds)
        keys.authenticate(made.token)
        assert keys.get(made.key.id).last_used_at == NOW + timedelta(seconds=noted)


def test_revoking_twice_keeps_the_first_time_and_notes_one_act(keys: Keys, clock: Clock, store: Store) -> None:
    made = keys.create("crm", [Scope.ADMIN], actor="li")
    act = Act(Action.KEY_REVOKED, "wang", Via.CLI, made.key.prefix)
    first = keys.revoke(made.key.id, actor="wang", act=act)
    clock.now += timedelta(hours=1)
    assert keys.revoke(made.key.prefix, actor="zhao", act=act) == first
    assert (first.revoked_at, first.revoked_by) == (NOW, "wang")
    with store.reading() as transaction:
        assert len(transaction.execute(select(audit)).all()) == 1


def test_a_key_that_is_not_there(keys: Keys) -> None:
    for wanted in (uuid4(), "rcv_00000000", "crm"):
        with pytest.raises(NoSuchKey):
            keys.get(wanted)
        with pytest.raises(NoSuchKey):
            keys.revoke(wanted, actor="li")


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "bell\a", "right-to-left \u202e", "x" * 61])
def test_a_name_is_one_line_that_can_be_read(name: str, keys: Keys) -> None:
    with pytest.raises(ValueError, match="one line of 1 to 60"):
        keys.create(name, [Scope.ADMIN], actor="li")


def test_admin_includes_every_scope_and_no_other_does() -> None:
    for held in Scope:
        for wanted in Scope:
            assert allows([held], wanted) is (held in (wanted, Scope.ADMIN))
    assert not allows([], Scope.MESSAGES_READ)
