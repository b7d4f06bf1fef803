"""Who has no password, or somebody's cookie: guessing, forging forms, keeping what was stolen."""

import http.client
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pyotp
import pytest
from sqlalchemy import update

from receiver.access import Scope
from receiver.access.roles import Role
from receiver.access.throttle import FREE_FAILURES
from receiver.admin.console.cookies import FORM, SESSION
from receiver.admin.console.routes import Who
from receiver.store.tables import login_failures
from tests.admin.console.every_page import PAGES, Registered
from tests.admin.console.visitor import PASSWORD, Visitor, somebody, visiting
from tests.attacks.conftest import House, LogIn
from tests.processes import run

ENOUGH = FREE_FAILURES["name"]
FORMS = [page for page in PAGES if page.method == "POST"]


def from_(number: int) -> dict[str, str]:
    """The header of somebody at another address each time."""
    return {"X-Forwarded-For": f"198.51.100.{number}"}


def try_(house: House, number: int, **fields: str) -> int:
    """The status of a login from another address each time."""
    visitor = Visitor(house.admin.port)
    visitor.get("/login")
    form = urlencode({"csrf": visitor._csrf, **fields})
    return visitor._ask("POST", "/login", form, from_(number)).status


def with_second_factor(visitor: Visitor) -> str:
    """Turn it on; its secret."""
    secret = visitor.get("/account/second-factor").text.partition('name="secret" value="')[2][:32]
    assert visitor.post("/account/second-factor", secret=secret, code=pyotp.TOTP(secret).now()).status == 303
    return secret


def test_a_password_is_not_guessed_from_many_addresses(house: House) -> None:
    somebody(house.admin.store, Role.VIEWER, "guessed")
    tries = [try_(house, number, name="guessed", password=f"guess {number}") for number in range(ENOUGH + 1)]
    assert tries == [422] * ENOUGH + [429]
    assert try_(house, 99, name=" GUESSED ", password=PASSWORD) == 429, "nor by the right one, while it waits"


def test_one_address_does_not_guess_at_many_names(house: House) -> None:
    assert try_(house, 200, name="name", password="password12") == 422
    with house.admin.store.writing() as transaction:  # as if it had tried all but three that it may
        counted = update(login_failures).where(login_failures.c.counter == "peer:198.51.100.200")
        transaction.execute(counted.values(count=FREE_FAILURES["peer"] - 3))
    tries = [try_(house, 200, name=f"name {number}", password="password12") for number in range(4)]
    assert tries == [422] * 3 + [429]
    assert try_(house, 201, name="name x", password="password12") == 422, "its neighbour may"


def test_a_second_factor_is_not_guessed(house: House) -> None:
    person = somebody(house.admin.store, Role.VIEWER, "coded")
    visitor = visiting(house.admin.port, house.admin.store, person)
    secret = with_second_factor(visitor)
    now = pyotp.TOTP(secret).now()
    wrong = [code for code in ("000000", "", "１２３４５６", "123 456", "0" * 20, "-1") if code != now]
    tries = [try_(house, number, name="coded", password=PASSWORD, code=code) for number, code in enumerate(wrong[:5])]
    assert tries == [422] * 5
    right = pyotp.TOTP(secret).at(datetime.now(UTC) + timedelta(seconds=30))
    assert try_(house, 50, name="coded", password=PASSWORD, code=right) == 429


def test_who_took_a_session_does_not_find_the_password_by_it(house: House) -> None:
    person = somebody(house.admin.store, Role.VIEWER, "taken")
    thief = visiting(house.admin.port, house.admin.store, person)
    with_second_factor(thief)
    thief.get("/account")
    new = {"password": "mine from now on", "again": "mine from now on"}
    for number in range(ENOUGH):
        assert "is wrong" in thief.post("/account/password", old=f"guess {number}", **new).words
    assert "Too many failures" in thief.post("/account/password", old=PASSWORD, **new).words
    assert "Too many failures" in thief.post("/account/second-factor/off", present=PASSWORD).words
    assert "second factor: write" in Visitor(house.admin.port).log_in("taken").words, "its owner is not shut out"


def test_a_crowd_that_logs_in_at_once_takes_no_more_memory_than_a_few(house: House) -> None:
    def most(crowd: int, first: int) -> int:
        process = psutil.Process(*house.admin.server.workers())
        done = threading.Event()
        seen: list[int] = []

        def watch() -> None:
            while not done.wait(0.002):
                seen.append(process.memory_info().rss)

        tries = [
            threading.Thread(
                target=try_, args=(house, first + number), kwargs={"name": f"crowd {first + number}", "password": "x"}
            )
            for number in range(crowd)
        ]
        watching = threading.Thread(target=watch)
        watching.start()
        for thread in tries:
            thread.start()
        for thread in tries:
            thread.join()
        done.set()
        watching.join()
        return max(seen)

    one = most(1, 100)
    # Each hash takes 64 MB.
    assert most(10, 101) < one + 3 * 64_000_000


@pytest.mark.parametrize("registered", FORMS, ids=str)
def test_no_form_of_another_site_does_anything(registered: Registered, house: House, log_in: LogIn) -> None:
    victim, attacker = log_in(Role.ADMIN), log_in(Role.ADMIN)
    attacker.get("/account")
    before = {
        table: len(house.admin.rows(table)) for table in ("audit", "people", "api_keys", "ledger", "sends", "sessions")
    }
    elsewhere = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    for csrf in ("", "\x00", attacker._csrf):
        form = urlencode({"csrf": csrf, "name": "x", "role": "admin", "reason": "r", "phone": "13900007501"})
        headers = {**elsewhere, "X-CSRF": csrf.replace("\x00", "")}
        answer = victim._ask("POST", registered.path, form, headers)
        assert answer.status == 400 or registered.needs is Who.ANYBODY, (registered, csrf)
        assert answer.status in (400, 404)
    # Nor does a method that is none of a form's.
    for method in ("PUT", "DELETE"):
        assert victim._ask(method, registered.path, "csrf=x", {}).status in (404, 405)
    assert {table: len(house.admin.rows(table)) for table in before} == before


def test_a_login_is_not_forged_either(house: House) -> None:
    somebody(house.admin.store, Role.VIEWER, "forged")
    attacker, victim = Visitor(house.admin.port), Visitor(house.admin.port)
    attacker.get("/login")
    victim.get("/login")
    assert victim.post("/login", csrf=attacker._csrf, name="forged", password=PASSWORD).status == 400
    del victim.cookies[FORM]
    assert victim.post("/login", name="forged", password=PASSWORD).status == 400
    assert SESSION not in victim.cookies


def test_a_cookie_from_before_the_login_is_nobody_s_afterwards(house: House) -> None:
    somebody(house.admin.store, Role.VIEWER, "fixed")
    planted = "planted-by-an-attacker"
    victim = Visitor(house.admin.port)
    victim.cookies[SESSION] = planted
    assert victim.log_in("fixed").status == 303
    assert victim.cookies[SESSION] != planted
    thief = Visitor(house.admin.port)
    thief.cookies[SESSION] = planted
    assert thief.get("/").status == 303


def test_a_stolen_session_ends_with_its_owner_s_password_and_word(house: House) -> None:
    person = somebody(house.admin.store, Role.OPERATOR, "robbed")
    owner = visiting(house.admin.port, house.admin.store, person)
    for end, fields in (
        ("/account/sessions/end", {}),
        ("/account/password", {"old": PASSWORD, "password": "another long one", "again": "another long one"}),
    ):
        thief = visiting(house.admin.port, house.admin.store, person)
        assert thief.get("/").status == 200
        owner.get("/account")
        owner.follow(end, **fields)
        assert (thief.get("/").status, thief.get("/replies").status) == (303, 303)
        assert thief.post("/replies/export", format="csv").status == 303
    cookie = owner.cookies[SESSION]
    owner.get("/")
    owner.follow("/logout")
    owner.cookies[SESSION] = cookie
    assert owner.get("/").status == 303


def test_what_the_database_holds_opens_nothing(house: House) -> None:
    person = somebody(house.admin.store, Role.ADMIN, "stolen database")
    visitor = visiting(house.admin.port, house.admin.store, person)
    key = house.admin.key(Scope.ADMIN)
    for row in house.admin.rows("sessions", person_id=person.id):
        thief = Visitor(house.admin.port)
        thief.cookies[SESSION] = row["token_hash"]
        assert thief.get("/").status == 303
    (row,) = house.admin.rows("api_keys", id=key.key.id)
    for stolen in (row["hash"], f"{row['prefix']}_{row['hash']}", f"{row['prefix']}_{row['hash'][:43]}"):
        connection = http.client.HTTPConnection("127.0.0.1", house.admin.port)
        connection.request("GET", "/api/v1/messages", headers={"Authorization": f"Bearer {stolen}"})
        assert connection.getresponse().status == 401
        connection.close()
    for row in house.admin.rows("invitations"):
        assert Visitor(house.admin.port).get(f"/welcome/{row['token_hash']}").status == 404
    for row in house.admin.rows("people", name="stolen database"):
        assert try_(house, 90, name="stolen database", password=row["password_hash"][:200]) == 422
    path = house.admin.server.database_url.partition(":///")[2]
    held = b"".join(Path(path + end).read_bytes() for end in ("", "-wal"))
    for secret in (PASSWORD, visitor.cookies[SESSION], key.token, key.token.rpartition("_")[2]):
        assert secret.encode() not in held


def test_the_database_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    env = {"RECEIVER_DATA_DIR": str(tmp_path / "var")}
    assert run("receiver", "db", "upgrade", cwd=tmp_path, env=env).returncode == 0
    files = [path for path in (tmp_path / "var").rglob("*") if path.is_file()]
    assert files
    for path in (tmp_path / "var", *files):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_stolen_key_may_what_its_scopes_say_until_it_is_revoked(house: House) -> None:
    thief = house.admin.api(Scope.OPTOUTS_READ)
    assert thief.get("/optouts").status == 200
    for method, path in (
        ("PUT", "/optouts/13900007502"),
        ("DELETE", "/optouts/13900007502?reason=r"),
        ("POST", "/sms"),
        ("GET", "/messages"),
        ("POST", "/keys"),
        ("GET", "/audit"),
    ):
        assert thief.request(method, path, {}).status == 403
    prefix = (thief.token or "")[:12]
    (noted,) = house.admin.rows("audit", action="optouts.read", key_id=house.admin.keys.get(prefix).id)
    assert noted["peer"] == "127.0.0.1"
    house.admin.keys.revoke(prefix, actor="tests")
    assert thief.get("/optouts").status == 401


def test_no_page_may_stand_in_another_site_s_frame(house: House, log_in: LogIn) -> None:
    visitor = log_in(Role.ADMIN)
    for path in ("/", "/login", "/optouts/add", "/people", "/sends/new", "/nowhere"):
        policy = visitor.get(path).headers["Content-Security-Policy"]
        assert re.search(r"(?:^|; )frame-ancestors 'none'(?:;|$)", policy)
