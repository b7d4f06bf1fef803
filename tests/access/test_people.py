"""Accounts: links that work once, passwords, second factors, throttled logins, and an admin who always remains."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from sqlalchemy import Connection

from receiver.access import passwords
from receiver.access.errors import AccessError, LoginRefused
from receiver.access.passwords import WeakPassword
from receiver.access.people import INVITATION_LASTS, People
from receiver.access.person import Person
from receiver.access.roles import PERMISSIONS, Permission, Role
from receiver.access.second_factor import new_secret
from receiver.access.sessions import IDLE_FOR, LASTS_FOR, Sessions
from receiver.access.throttle import FREE_FAILURES
from receiver.store.store import Store

GOOD, OTHER, PEER = "a fine long secret", "another long secret", "203.0.113.7"


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 3, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(store: Store, clock: Clock) -> People:
    return People(store, clock)


@pytest.fixture
def sessions(store: Store, clock: Clock) -> Sessions:
    return Sessions(store, clock)


def somebody(people: People, name: str = "li", role: Role = Role.ADMIN) -> Person:
    return people.accept(people.invite(name, role, actor="test").token, GOOD)


def refused(people: People, name: str = "li", password: str = GOOD, code: str | None = None) -> str:
    with pytest.raises(LoginRefused) as said:
        people.log_in(name, password, code, PEER)
    return said.value.code


def test_first_admin_is_made_by_a_link_that_works_once(people: People) -> None:
    assert not people.exist()
    link = people.first_admin()
    assert link is not None
    assert people.accept(link.token, GOOD).role is Role.ADMIN
    with pytest.raises(AccessError):
        people.accept(link.token, OTHER)
    assert people.exist()
    assert people.first_admin() is None
    assert people.log_in("ADMIN ", GOOD, None, PEER).name == "admin"


def test_a_second_link_ends_the_first_and_none_outlives_its_time(people: People, clock: Clock) -> None:
    first, second = people.first_admin(), people.first_admin()
    assert first is not None
    assert second is not None
    with pytest.raises(AccessError, match="ask for another"):
        people.invited(first.token)
    assert people.invited(second.token).person.name == "admin"
    clock.now += INVITATION_LASTS
    with pytest.raises(AccessError):
        people.accept(second.token, GOOD)


def test_of_two_who_use_a_link_at_once_one_sets_the_password(people: People) -> None:
    link = people.invite("li", Role.VIEWER, actor="test")

    def accept(password: str) -> bool:
        try:
            people.accept(link.token, password)
        except AccessError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(accept, [GOOD, OTHER]))
    assert sum(done) == 1
    assert people.log_in("li", GOOD if done[0] else OTHER, None, PEER).name == "li"


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "short"),
        ("x" * 201, "long"),
        ("password123", "common"),
        ("aaaaaaaaaaaa", "common"),
        ("lililililil", "common"),
    ],
)
def test_a_weak_password_is_refused_and_leaves_the_link_usable(people: People, password: str, reason: str) -> None:
    link = people.invite("li", Role.VIEWER, actor="test")
    with pytest.raises(WeakPassword) as said:
        people.accept(link.token, password)
    assert said.value.reason == reason
    people.accept(link.token, GOOD)


def test_names_are_one_however_they_are_written(people: People) -> None:
    somebody(people, "Ｌｉ")
    for name in ("li", "LI", " Li "):
        with pytest.raises(AccessError, match="already"):
            people.invite(name, Role.VIEWER, actor="test")
    for name in ("", " ", "a\nb", "x" * 61):
        with pytest.raises(AccessError, match="write a name"):
            people.invite(name, Role.VIEWER, actor="test")


def test_wrong_name_and_wrong_password_are_not_told_apart(people: People) -> None:
    somebody(people)
    assert refused(people, password=OTHER) == refused(people, name="nobody") == "wrong"


def test_failures_make_each_further_try_wait_longer_until_one_is_right(people: People, clock: Clock) -> None:
    somebody(people)
    for _ in range(FREE_FAILURES["name"]):
        assert refused(people, password=OTHER) == "wrong"
    assert refused(people) == "throttled", "the right password is not looked at before its time"
    clock.now += timedelta(seconds=10)
    assert refused(people, password=OTHER) == "wrong"
    clock.now += timedelta(seconds=10)
    assert refused(people) == "throttled"
    clock.now += timedelta(seconds=10)
    people.log_in("li", GOOD, None, PEER)
    assert refused(people, password=OTHER) == "wrong"


def test_many_tries_at_once_are_no_way_around_the_wait(people: People) -> None:
    somebody(people)
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: refused(people, password=OTHER), range(24)))
    assert codes.count("wrong") == FREE_FAILURES["name"]


def test_a_second_factor_is_asked_for_and_each_code_opens_once(people: People, clock: Clock) -> None:
    person, secret = somebody(people), new_secret()
    with pytest.raises(AccessError):
        people.second_factor.enable(
            person, secret, "000000" if pyotp.TOTP(secret).at(clock.now) != "000000" else "111111"
        )
    people.second_factor.enable(person, secret, pyotp.TOTP(secret).at(clock.now))
    assert refused(people) == "code-needed"
    assert refused(people, code=pyotp.TOTP(secret).at(clock.now)) == "wrong-code", "it was used for enabling"
    clock.now += timedelta(seconds=30)
    code = pyotp.TOTP(secret).at(clock.now)
    people.log_in("li", GOOD, f" {code[:3]} {code[3:]} ", PEER)
    assert refused(people, code=code) == "wrong-code"
    with pytest.raises(AccessError):
        people.second_factor.disable(person, OTHER)
    people.second_factor.disable(person, GOOD)
    assert not people.log_in("li", GOOD, None, PEER).has_totp


def test_a_recovery_code_opens_once_in_place_of_a_code_however_its_digits_are_written(
    people: People, clock: Clock, store: Store
) -> None:
    person, secret = somebody(people), new_secret()
    codes = people.second_factor.enable(person, secret, pyotp.TOTP(secret).at(clock.now))
    assert (len(set(codes)), people.second_factor.left(person)) == (10, 10)
    people.log_in("li", GOOD, codes[0], PEER)
    people.log_in("li", GOOD, f" {codes[1].replace('-', ' ')}", PEER)
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: opens(people, codes[2]), range(4)))
    assert sum(opened) == 1, "of several at once one is let in"
    assert people.second_factor.left(person) == 7
    assert refused(people, code=codes[0]) == "wrong-code"
    clock.now += timedelta(seconds=30)
    anew = people.second_factor.renew(person, pyotp.TOTP(secret).at(clock.now))
    assert people.second_factor.are_codes_of(person, anew)
    assert not people.second_factor.are_codes_of(person, codes[5:6])
    assert not people.second_factor.are_codes_of(person, [])
    people.second_factor.disable(person, GOOD)
    assert people.second_factor.left(person) == 0, "what is turned off leaves nothing that opens"
    with pytest.raises(AccessError, match="no second factor"):
        people.second_factor.reset(person)


def opens(people: People, code: str) -> bool:
    try:
        people.log_in("li", GOOD, code, PEER)
    except LoginRefused:
        return False
    return True


def test_the_last_admin_remains(people: People) -> None:
    admin, viewer = somebody(people), somebody(people, "wang", Role.VIEWER)
    for values in ({"role": Role.VIEWER}, {"disabled_at": datetime.now(UTC)}):
        with pytest.raises(AccessError, match="must stay an admin"):
            people.change(admin, **values)
    assert people.get("li").role is Role.ADMIN
    people.change(viewer, role=Role.ADMIN)
    people.change(admin, disabled_at=datetime.now(UTC))
    assert refused(people) == "wrong"


def test_sessions_end_by_themselves_by_a_click_and_everywhere(people: People, sessions: Sessions, clock: Clock) -> None:
    person = somebody(people)
    tokens = [sessions.begin(person, peer=PEER, agent=f"browser {number}") for number in range(3)]
    assert {session.agent for session in sessions.of_person(person)} == {"browser 0", "browser 1", "browser 2"}
    first = sessions.of(tokens[0])
    assert first is not None
    assert first.person.name == "li"
    sessions.end(person, but=first.id)
    assert [sessions.of(token) is not None for token in tokens] == [True, False, False]
    clock.now += IDLE_FOR - timedelta(minutes=1)
    assert sessions.of(tokens[0]) is not None
    clock.now += IDLE_FOR - timedelta(minutes=1)
    assert sessions.of(tokens[0]) is not None, "it was used meanwhile"
    clock.now += IDLE_FOR + timedelta(minutes=1)
    assert sessions.of(tokens[0]) is None
    used = sessions.begin(person, peer=None, agent=None)
    began = clock.now
    while clock.now - began <= LASTS_FOR - timedelta(hours=1):
        assert sessions.of(used) is not None
        clock.now += timedelta(hours=1)
    clock.now += timedelta(hours=1)
    assert sessions.of(used) is None, "no session lasts for ever"


def test_another_password_ends_every_other_session_and_a_disabled_person_has_none(
    people: People, sessions: Sessions
) -> None:
    somebody(people, "boss")
    person = somebody(people, "wang", Role.VIEWER)
    mine, other = (sessions.begin(person, peer=PEER, agent=None) for _ in range(2))
    held = sessions.of(mine)
    assert held is not None
    with pytest.raises(AccessError, match="wrong"):
        people.change_password(person, OTHER, OTHER, keep_session=held.id)
    people.change_password(person, GOOD, OTHER, keep_session=held.id)
    assert (sessions.of(mine) is not None, sessions.of(other)) == (True, None)
    assert refused(people, "wang", GOOD) == "wrong"
    people.change(person, disabled_at=datetime.now(UTC))
    assert sessions.of(mine) is None


def test_nothing_that_opens_anything_is_kept(people: People, sessions: Sessions, store: Store) -> None:
    link = people.invite("li", Role.ADMIN, actor="test")
    cookie = sessions.begin(people.accept(link.token, GOOD), peer=PEER, agent=None)
    again = people.invite_again("li")
    with store.reading() as connection:
        from sqlalchemy import select

        from receiver.store import tables

        kept = str(
            [connection.execute(select(table)).all() for table in (tables.people, tables.sessions, tables.invitations)]
        )
    for secret in (GOOD, link.token, again.token, cookie):
        assert secret not in kept
        assert secret not in repr(link)
    assert "$argon2id$" in kept


def test_hashes_of_too_little_work_are_made_anew_at_the_next_login(people: People, store: Store) -> None:
    from argon2 import PasswordHasher

    from receiver.store import people as rows

    person = somebody(people)
    weak = PasswordHasher(time_cost=1, memory_cost=1024).hash(GOOD)
    with store.writing() as connection:
        rows.change(connection, person.id, password_hash=weak)
    people.log_in("li", GOOD, None, PEER)
    with store.reading() as connection:
        row = rows.get(connection, person.id)
    assert row is not None
    assert row["password_hash"] != weak
    assert passwords.matches(row["password_hash"], GOOD)


def test_each_role_may_what_its_name_says() -> None:
    assert PERMISSIONS[Role.VIEWER] == {Permission.SEE}
    assert PERMISSIONS[Role.ADMIN] == set(Permission)
    assert Permission.SEND in PERMISSIONS[Role.OPERATOR]
    assert PERMISSIONS[Role.OPERATOR].isdisjoint(
        {Permission.LIFT, Permission.OPT_OUT, Permission.PEOPLE, Permission.KEYS}
    )
    assert {Permission.LIFT, Permission.OPT_OUT, Permission.PROVE} <= PERMISSIONS[Role.COMPLIANCE]
    assert PERMISSIONS[Role.COMPLIANCE].isdisjoint({Permission.SEND, Permission.PEOPLE, Permission.KEYS})


def test_no_reply_waits_while_a_password_is_worked_out(
    people: People, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []
    writing = store.writing

    @contextmanager
    def watched() -> Iterator[Connection]:
        with writing() as transaction:
            held.append(True)
            yield transaction
            held.pop()

    def free(*_: str) -> str:
        assert not held, "the database is held for as long as a hash takes"
        return "worked out"

    monkeypatch.setattr(store, "writing", watched)
    monkeypatch.setattr(passwords, "hashed", free)
    monkeypatch.setattr(passwords, "matches", free)
    person = people.accept(people.invite("li", Role.VIEWER, actor="tests").token, GOOD)
    people.change_password(person, GOOD, OTHER, keep_session=person.id)
    people.second_factor.disable(person, OTHER)
