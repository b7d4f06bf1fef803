"""Coming in and going: the first admin, invitations, throttling, second factors, sessions, and what the log keeps."""

import re
from datetime import UTC, datetime

import pyotp
import pytest

from receiver import create_admin_app
from receiver.access.people import People
from receiver.access.roles import Role
from receiver.access.sessions import Sessions
from receiver.access.throttle import FREE_FAILURES
from receiver.admin.console.cookies import FORM, SESSION
from receiver.config import Settings
from tests.admin.conftest import Admin
from tests.admin.console.conftest import LogIn
from tests.admin.console.visitor import PASSWORD, Visitor, somebody, visiting


def test_the_first_admin_comes_in_by_a_link_that_works_once(fresh_admin: Admin) -> None:
    link = People(fresh_admin.store).first_admin()
    assert link is not None
    visitor = Visitor(fresh_admin.port)
    assert "Nobody has an account yet" in visitor.get("/login").words
    assert "Welcome, admin" in visitor.get(f"/welcome/{link.token}").words
    assert "not the same" in visitor.post(f"/welcome/{link.token}", password=PASSWORD, again="another").words
    assert "at least 10" in visitor.post(f"/welcome/{link.token}", password="short", again="short").words
    assert "No reply yet" in visitor.follow(f"/welcome/{link.token}", password=PASSWORD, again=PASSWORD).words
    again = Visitor(fresh_admin.port).get(f"/welcome/{link.token}")
    assert (again.status, "was used" in again.words) == (404, True)
    assert "Nobody has an account" not in Visitor(fresh_admin.port).get("/login").words
    assert [row["action"] for row in fresh_admin.rows("audit")] == ["person.joined"]
    assert link.token not in fresh_admin.log


def test_whoever_logs_in_gets_where_they_wanted_to_go(admin: Admin) -> None:
    somebody(admin.store, Role.ADMIN, "zhao")
    visitor = Visitor(admin.port)
    asked = visitor.get("/audit?actor=zhao")
    assert asked.headers["Location"] == "/login?next=/audit?actor%3Dzhao"
    visitor.get(asked.headers["Location"])
    answer = visitor.post("/login", name=" ZHAO ", password=PASSWORD, next="/audit?actor=zhao")
    assert (answer.status, answer.headers["Location"]) == (303, "/audit?actor=zhao")
    assert "person.logged-in" in visitor.get("/audit?actor=zhao").text


@pytest.mark.parametrize(
    "target", ["https://other.example/", "//other.example/", "/\\other.example", "javascript:x", ""]
)
def test_nobody_is_led_elsewhere_by_a_link_to_the_login(target: str, admin: Admin, log_in: LogIn) -> None:
    visitor = log_in(Role.VIEWER)
    assert visitor.get("/login?next=" + target.replace("\\", "%5C")).headers["Location"] == "/"
    visitor.get("/account")
    assert visitor.post("/preferences", next=target, theme="dark").headers["Location"] == "/"


def test_what_is_wrong_is_told_alike_and_never_logged(admin: Admin) -> None:
    somebody(admin.store, Role.VIEWER, "qian")
    for name, password in (("qian", "not the password"), ("nobody at all", PASSWORD)):
        answer = Visitor(admin.port).log_in(name, password)
        assert (answer.status, "The name or the password is wrong." in answer.words) == (422, True)
        assert password not in answer.text
    assert Visitor(admin.port).log_in("\x00", "x").status == 422
    assert "not the password" not in admin.log
    assert "nobody at all" not in admin.log
    assert "a login from 127.0.0.1 was refused: wrong" in admin.log


def test_after_some_failures_one_has_to_wait(fresh_admin: Admin) -> None:
    somebody(fresh_admin.store, Role.VIEWER, "sun")
    visitor = Visitor(fresh_admin.port)
    for _ in range(FREE_FAILURES["name"]):
        assert visitor.log_in("sun", "not the password").status == 422
    answer = visitor.log_in("sun")
    assert (answer.status, "Too many failures" in answer.words) == (429, True)


def test_cookies_are_no_scripts_and_no_other_sites(admin: Admin) -> None:
    somebody(admin.store, Role.VIEWER, "wu")
    visitor = Visitor(admin.port)
    shown = visitor.get("/login")
    answer = visitor.post("/login", name="wu", password=PASSWORD)
    for given in (*shown.headers.get_all("Set-Cookie", []), *answer.headers.get_all("Set-Cookie", [])):
        assert "HttpOnly" in given
        assert "SameSite=Lax" in given
        assert "Secure" not in given, "this one came without TLS"
    assert {FORM, SESSION} <= set(visitor.cookies)


@pytest.mark.parametrize(
    ("proxies", "proto", "secure"),
    [("127.0.0.1", "https", True), ("127.0.0.1", "http", False), ("192.0.2.1", "https", False)],
)
def test_cookies_are_for_tls_alone_where_a_trusted_proxy_speaks_it(
    proxies: str, proto: str, secure: bool, admin: Admin
) -> None:
    settings = Settings(database_url=admin.server.database_url, trusted_proxies=[proxies])
    answer = create_admin_app(settings).test_client().get("/login", headers={"X-Forwarded-Proto": proto})
    assert ("Secure" in answer.headers["Set-Cookie"]) is secure


def test_a_second_factor_is_turned_on_asked_for_and_turned_off(admin: Admin) -> None:
    person = somebody(admin.store, Role.OPERATOR, "zheng")
    visitor = visiting(admin.port, admin.store, person)
    page = visitor.get("/account/second-factor").text
    secret = page.partition('name="secret" value="')[2][:32]
    assert "style=" not in page
    assert "The code is wrong" in visitor.post("/account/second-factor", secret=secret, code="000").words
    assert visitor.post("/account/second-factor", secret="x", code="000").status == 400
    code = pyotp.TOTP(secret).now()
    assert "Recovery codes" in visitor.follow("/account/second-factor", secret=secret, code=code).words
    assert visitor.get("/account/second-factor").headers["Location"] == "/account"
    visitor.get("/account")
    theirs = pyotp.random_base32()
    replaced = visitor.post("/account/second-factor", secret=theirs, code=pyotp.TOTP(theirs).now())
    assert "turn it off before" in replaced.words, "who finds a screen unlocked can't make the second factor theirs"
    other = Visitor(admin.port)
    assert "second factor: write" in other.log_in("zheng").words
    assert "The code is wrong or was used" in other.log_in("zheng", code=code).words
    visitor.get("/account")
    assert "is wrong" in visitor.post("/account/second-factor/off", present="not it").words
    assert "No code is asked" in visitor.follow("/account/second-factor/off", present=PASSWORD).words
    assert other.log_in("zheng").status == 303


def test_recovery_codes_are_shown_once_open_once_each_and_are_made_anew(admin: Admin) -> None:
    visitor = visiting(admin.port, admin.store, somebody(admin.store, Role.OPERATOR, "han"))
    secret = visitor.get("/account/second-factor").text.partition('name="secret" value="')[2][:32]
    shown = visitor.follow("/account/second-factor", secret=secret, code=pyotp.TOTP(secret).now())
    codes = re.findall(r"<code>([\d-]+)</code>", shown.text)
    assert len(set(codes)) == 10
    again = visitor.get(visitor.get("/account/second-factor/codes").headers["Location"])
    assert "were shown once" in again.words
    assert "10 of 10 recovery codes left" in again.words
    assert not any(code in again.text for code in codes)
    other = Visitor(admin.port)
    assert other.log_in("han", code=codes[0]).status == 303
    assert "wrong or was used" in Visitor(admin.port).log_in("han", code=codes[0]).words
    assert "9 of 10 recovery codes left" in other.get("/account").words
    (noted,) = admin.rows("audit", action="person.recovery-code-used")
    assert (noted["target"], noted["detail"]) == ("han", {"left": 9})
    assert "The code is wrong" in other.post("/account/second-factor/codes", code=codes[1]).words
    late = pyotp.TOTP(secret).at(datetime.now(UTC), counter_offset=1)
    anew = re.findall(r"<code>([\d-]+)</code>", other.follow("/account/second-factor/codes", code=late).text)
    assert set(anew).isdisjoint(codes)
    assert "10 of 10" in other.get("/account").words
    assert [row["target"] for row in admin.rows("audit", action="person.recovery-codes-renewed")] == ["han"]
    assert "wrong or was used" in Visitor(admin.port).log_in("han", code=codes[2]).words
    kept = str(admin.rows("recovery_codes"))
    assert not any(code in kept or code.replace("-", "") in kept for code in anew)


def test_password_and_codes_are_tried_no_oftener_in_the_account_than_at_the_login(fresh_admin: Admin) -> None:
    person = somebody(fresh_admin.store, Role.VIEWER, "kong")
    secret = pyotp.random_base32()
    People(fresh_admin.store).second_factor.enable(person, secret, pyotp.TOTP(secret).now())
    visitor = visiting(fresh_admin.port, fresh_admin.store, person)
    visitor.get("/account")
    change = {"password": "quite another one", "again": "quite another one"}
    for _ in range(FREE_FAILURES["name"]):
        assert visitor.post("/account/password", old="not it", **change).status == 422
    for answer in (
        visitor.post("/account/password", old=PASSWORD, **change),
        visitor.post("/account/second-factor/off", present=PASSWORD),
        visitor.post("/account/second-factor/codes", code="123456"),
    ):
        assert (answer.status, "Too many failures" in answer.words) == (429, True)
    assert "Write its present code" in Visitor(fresh_admin.port).log_in("kong").words.replace("write", "Write"), (
        "whoever holds a session shuts its owner out of nothing"
    )


def test_sessions_are_listed_and_ended_one_by_one_and_everywhere(admin: Admin) -> None:
    person = somebody(admin.store, Role.VIEWER, "wang")
    here, there, elsewhere = (visiting(admin.port, admin.store, person) for _ in range(3))
    page = here.get("/account")
    assert page.text.count("<tr>") == 4
    assert page.words.count("this one") == 1
    held = Sessions(admin.store).of(there.cookies[SESSION])
    assert held is not None
    assert "The session has ended." in here.follow(f"/account/sessions/{held.id}/end").words
    (noted,) = admin.rows("audit", action="person.sessions-ended", actor="wang")
    assert noted["detail"] == {"session": str(held.id)}
    assert there.get("/").status == 303
    assert elsewhere.get("/").status == 200
    here.follow("/account/sessions/end")
    assert (here.get("/").status, elsewhere.get("/").status) == (200, 303)


def test_nobody_ends_another_persons_session(admin: Admin) -> None:
    mine = visiting(admin.port, admin.store, somebody(admin.store, Role.ADMIN, "feng"))
    theirs = visiting(admin.port, admin.store, somebody(admin.store, Role.VIEWER, "chen"))
    held = Sessions(admin.store).of(theirs.cookies[SESSION])
    assert held is not None
    mine.get("/account")
    mine.follow(f"/account/sessions/{held.id}/end")
    assert theirs.get("/").status == 200


def test_another_password_ends_the_other_sessions(admin: Admin) -> None:
    person = somebody(admin.store, Role.VIEWER, "chu")
    here, there = (visiting(admin.port, admin.store, person) for _ in range(2))
    here.get("/account")
    change = {"old": PASSWORD, "password": "quite another one", "again": "quite another one"}
    assert "is wrong" in here.post("/account/password", **{**change, "old": "not it"}).words
    assert "Every other session has ended" in here.follow("/account/password", **change).words
    assert there.get("/").status == 303
    assert Visitor(admin.port).log_in("chu", "quite another one").status == 303


def test_who_logs_out_is_out(admin: Admin) -> None:
    visitor = visiting(admin.port, admin.store, somebody(admin.store, Role.VIEWER, "wei"))
    cookie = visitor.cookies[SESSION]
    visitor.get("/")
    assert "You are logged out" in visitor.follow("/logout").words
    assert SESSION not in visitor.cookies
    visitor.cookies[SESSION] = cookie
    assert visitor.get("/").status == 303


def test_language_and_theme_are_kept_with_the_account(admin: Admin) -> None:
    visitor = visiting(admin.port, admin.store, somebody(admin.store, Role.VIEWER, "jiang"))
    del visitor.cookies["receiver_locale"]
    assert '<html lang="zh-Hans">' in visitor.get("/").text
    page = visitor.follow("/preferences", next="/account", locale="en")
    assert '<html lang="en">' in page.text
    assert 'data-theme="dark"' in visitor.follow("/preferences", next="/account", theme="dark").text
    visitor.post("/preferences", locale="xx", theme="pink")
    other = Visitor(admin.port, {})
    other.log_in("jiang")
    assert '<html lang="en" data-theme="dark">' in other.get("/").text


def test_times_are_where_somebody_lives(admin: Admin) -> None:
    visitor = visiting(admin.port, admin.store, somebody(admin.store, Role.VIEWER, "shen"))
    visitor.get("/account")
    assert "Write a zone" in visitor.post("/account/zone", zone="Nowhere/Atlantis").words
    assert "Saved." in visitor.follow("/account/zone", zone="Europe/Berlin").words
