"""What the pages tell: the overview, people, the audit, and what goes wrong."""

import os
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from receiver.access import Act, Action
from receiver.access.audit import Via
from receiver.access.people import People
from receiver.access.roles import Role
from receiver.admin.console.audit_words import ACTIONS, VIA
from receiver.intake.spool import Limits, Spool
from receiver.store import services
from receiver.store.tables import metadata
from receiver.vocabulary import Reason
from tests.admin.conftest import Admin, running
from tests.admin.console.conftest import LogIn
from tests.admin.console.visitor import PASSWORD, Visitor, somebody, visiting
from tests.filled import Filled
from tests.intake.replies import reply
from tests.postgres import Postgres
from tests.serving import Server


def test_a_newcomer_is_taught_and_pushes_a_test_reply_through_the_real_path(database_url: str, tmp_path: Path) -> None:
    with Server(database_url, tmp_path) as callback:
        bind = {"RECEIVER_CALLBACK_BIND": f"127.0.0.1:{callback.port}"}
        with running(database_url, tmp_path, bind) as admin:
            visitor = visiting(admin.port, admin.store, somebody(admin.store, Role.OPERATOR))
            empty = visitor.get("/").words
            assert f":{callback.port}/recv.asp" in empty
            assert "RECEIVER_ALLOWED_SOURCES" in empty
            assert "Replies today 0" in empty
            told = visitor.follow("/test-reply").words
            assert "The test reply was stored" in told
            assert "from 127.0.0.1" in told
            assert "Replies today 1" in told
            (message,) = admin.rows("messages")
            assert message["text"] == "控制台测试"
            callback.kill9()
            visitor.get("/")
            refused = visitor.post("/test-reply")
            assert (refused.status, "unreachable" in refused.words) == (502, True)


def test_a_refused_source_is_named_with_what_to_add(database_url: str, tmp_path: Path) -> None:
    with Server(database_url, tmp_path, {"RECEIVER_ALLOWED_SOURCES": "192.0.2.1"}) as callback:
        assert callback.get("/recv.asp?src=13900000001&dst=1069&msg=hello") == b"-2"
        allowed = {"RECEIVER_ALLOWED_SOURCES": "192.0.2.1"}
        with running(database_url, tmp_path, allowed) as admin:
            visitor = visiting(admin.port, admin.store, somebody(admin.store, Role.VIEWER))
            page = visitor.get("/")
            while "Refused sources" not in page.words:  # counted within a second, and not before the answer
                page = visitor.get("/")
            assert "RECEIVER_ALLOWED_SOURCES=192.0.2.1/32,127.0.0.1" in page.words
            assert "13900000001" not in page.text


def test_the_overview_counts_and_says_what_to_do(admin: Admin, log_in: LogIn) -> None:
    admin.filled.reply(b"src=13900000001&dst=10690000&msg=0000")
    admin.filled.kept(b"src=x", reason=Reason.UNUSABLE_SRC)
    page = log_in(Role.VIEWER).get("/").words
    assert "Unsubscribes among them 1" in page
    assert "In quarantine 1 See why" in page
    assert "from 203.81.21.34" in page
    assert "No worker has run yet" in page
    assert "Push a test reply" not in page, "a viewer may not"
    assert "13900000001" not in page


def test_replies_that_wait_in_the_spool_are_an_alarm_on_overview_and_health(admin: Admin, log_in: LogIn) -> None:
    viewer = log_in(Role.VIEWER)
    assert "Spool of pushed replies" not in viewer.get("/").words
    spool = Spool(admin.server.data_dir, Limits.of_megabytes(10, 0))
    spool.keep([reply("hello", "+8613900000006")])
    try:
        for path in ("/", "/health"):
            page = viewer.get(path).words
            assert "of acknowledged replies wait to be stored" in page
            assert "this machine sends nothing" in page
            assert "13900000006" not in page
    finally:
        for waiting in spool.waiting():
            waiting.unlink()
    assert "Spool of pushed replies" not in viewer.get("/").words


def test_while_somebody_locks_the_database_health_says_that_the_spool_takes_over(admin: Admin, log_in: LogIn) -> None:
    viewer = log_in(Role.VIEWER)
    before = datetime.now(UTC) - timedelta(minutes=5)
    with admin.store.writing() as transaction:  # so that the page would note that the session is used
        transaction.execute(update(metadata.tables["sessions"]).values(last_seen_at=before))
    with closing(sqlite3.connect(admin.server.database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        page = viewer.get("/health")
    assert page.status == 200
    assert "It takes no writes" in page.words
    assert "Replies are taken in all the same, into the spool" in page.words
    assert "lost" not in page.words


def test_sizes_are_written_as_the_language_does(admin: Admin, log_in: LogIn) -> None:
    viewer = log_in(Role.VIEWER)
    spool = Spool(admin.server.data_dir, Limits.of_megabytes(10, 0))
    spool.keep([reply("hello")])
    spool.seal()
    (waiting,) = spool.waiting()
    try:
        for size, english, chinese in (
            (0, "0 byte of", "0 B"),
            (1234, "1.2 kB of", "1.2 kB"),
            (5_000_000, "5 MB of", "5 MB"),
        ):
            os.truncate(waiting, size)
            assert english in viewer.get("/health").words
            viewer.cookies["receiver_locale"] = "zh"
            page = viewer.get("/health").words
            assert chinese in page
            assert "Bytes" not in page
            viewer.cookies["receiver_locale"] = "en"
    finally:
        waiting.unlink()


def test_the_overview_tells_the_last_day_by_hour_and_service(admin: Admin, log_in: LogIn) -> None:
    with admin.store.writing() as transaction:
        services.add(transaction, "daily", "Daily news", datetime.now(UTC))
        services.set_numbers(transaction, "daily", ["10697777"], [])
    filled = Filled(admin.server.database_url)  # that looks which services there are now
    for text in (b"hello", b"0000"):
        filled.reply(b"src=13900000005&dst=10697777&msg=" + text)
    page = log_in(Role.VIEWER).get("/")
    assert "Daily news 2 50.0%" in page.words
    assert len(re.findall(r"<tr data-start=", page.text)) == 24
    assert sum(int(value) for value in re.findall(r'data-value="(\d+)"', page.text)) >= 3


def test_people_are_invited_changed_shut_out_and_let_in(admin: Admin, log_in: LogIn) -> None:
    boss = log_in(Role.ADMIN)
    boss.get("/people")
    assert "Choose one of these" in boss.post("/people", name="Tian", role="king").words
    assert "Write something" in boss.post("/people", name=" ", role="viewer").words
    page = boss.post("/people", name="Tian", role="viewer").headers["Location"]
    shown = boss.get(page)
    (address,) = re.findall(r'value="(http://[^"]+/welcome/[^"]+)"', shown.text)
    assert address.startswith(f"http://127.0.0.1:{admin.port}/welcome/")
    again = boss.get(boss.get(page).headers["Location"])
    assert "The link was shown once" in again.words
    assert "/welcome/" not in again.text
    assert "somebody of this name already" in boss.post("/people", name="tian", role="viewer").words
    tian = Visitor(admin.port)
    path = address.partition(f":{admin.port}")[2]
    tian.get(path)
    tian.follow(path, password=PASSWORD, again=PASSWORD)
    assert tian.get("/audit").status == 403

    person = People(admin.store).get("tian")
    boss.get(f"/people/{person.id}")
    assert "Compliance" in boss.follow(f"/people/{person.id}/role", role="compliance").words
    assert tian.get("/audit").status == 200
    assert "can't log in any more" in boss.follow(f"/people/{person.id}/disable").words
    assert tian.get("/").status == 303
    assert tian.log_in("Tian").status == 422
    boss.follow(f"/people/{person.id}/enable")
    assert tian.log_in("Tian").status == 303
    assert "/welcome/" in boss.follow(f"/people/{person.id}/link").text

    told = [(row["action"], row["actor"], row["via"]) for row in admin.rows("audit", target="Tian")]
    assert [action for action, actor, _ in told if actor == "admin"] == [
        "person.invited",
        "person.changed",
        "person.disabled",
        "person.enabled",
        "person.linked",
    ]
    assert {via for _, _, via in told} == {"console"}


def test_the_last_admin_can_not_be_shut_out(fresh_admin: Admin) -> None:
    only = somebody(fresh_admin.store, Role.ADMIN)
    visitor = visiting(fresh_admin.port, fresh_admin.store, only)
    visitor.get("/people")
    for form, fields in (("disable", {}), ("role", {"role": "viewer"})):
        answer = visitor.post(f"/people/{only.id}/{form}", **fields)
        assert (answer.status, "Somebody must stay an admin" in answer.words) == (422, True)


def test_what_an_act_was_in_detail_is_told_in_the_language_of_the_page(admin: Admin, log_in: LogIn) -> None:
    filters = {"kind": "reply", "src": "+8613900000001"}
    detail = {"role": "viewer", "filters": filters, "people": 3}
    Act(Action.PERSON_INVITED, "detailed", Via.CONSOLE, detail=detail).record(admin.store)
    visitor = log_in(Role.ADMIN)
    assert "filters kind: reply, src: +86139****0001" in visitor.get("/audit?actor=detailed").words
    visitor.cookies["receiver_locale"] = "zh"
    chinese = visitor.get("/audit?actor=detailed").words
    assert "角色 查看员" in chinese
    assert "人数 3" in chinese


def test_likings_are_kept_where_there_is_no_admin_yet(fresh_admin: Admin) -> None:
    visitor = visiting(fresh_admin.port, fresh_admin.store, somebody(fresh_admin.store, Role.VIEWER))
    visitor.get("/account")
    assert visitor.post("/preferences", theme="dark").status == 303
    assert "Saved." in visitor.follow("/account/zone", zone="Asia/Tokyo").words


def test_a_zone_that_no_page_could_be_told_in_is_not_taken(log_in: LogIn) -> None:
    visitor = log_in(Role.VIEWER)
    for zone in ("Factory", "localtime", "posixrules", "../../etc/passwd"):
        visitor.get("/account")
        assert visitor.post("/account/zone", zone=zone).status == 422
        assert visitor.get("/").status == 200


@pytest.mark.parametrize("name", ["_method", "_scheme", "_external", "_anchor", "endpoint", "values", "self"])
def test_an_address_is_of_parameters_alone(name: str, admin: Admin, log_in: LogIn) -> None:
    for _ in range(51 - len(admin.rows("quarantine"))):
        admin.filled.kept(b"src=x", reason=Reason.UNUSABLE_SRC)
    page = log_in(Role.ADMIN).get(f"/quarantine?{name}=javascript&_external=1&peer=")
    assert page.status == 200
    links = re.findall(r'href="([^"]*(?:reveal|older)=[^"]*)"', page.text)
    assert len(links) == 2
    assert all(link.startswith("/quarantine?") for link in links)


def test_a_form_s_answer_leads_on_as_its_page_does(admin: Admin, log_in: LogIn) -> None:
    kept = admin.filled.kept(b"src=x", reason=Reason.UNUSABLE_SRC)
    visitor = log_in(Role.ADMIN)
    visitor.get("/quarantine")
    for path, fields in (("/replies/find", {"phone": ""}), (f"/quarantine/{kept}/replay", {})):
        answer = visitor.post(path, **fields)
        assert answer.status == 422
        (link,) = re.findall(r'href="([^"]+reveal=1)"', answer.text)
        assert visitor.get(link).status == 200


def test_the_audit_is_walked_by_pages_and_filtered(admin: Admin, log_in: LogIn) -> None:
    visitor = log_in(Role.COMPLIANCE)
    for number in range(60):
        somebody_did(admin, number)
    page = visitor.get("/audit?actor=walker")
    first = [int(number) for number in re.findall(r"number (\d+)</td>", page.text)]
    (older,) = re.findall(r'rel="next" href="([^"]+)"', page.text)
    page = visitor.get(older.replace("&amp;", "&"))
    second = [int(number) for number in re.findall(r"number (\d+)</td>", page.text)]
    assert first + second == list(range(59, -1, -1))
    (newer,) = re.findall(r'rel="prev" href="([^"]+)"', page.text)
    assert re.findall(r"number (\d+)</td>", visitor.get(newer.replace("&amp;", "&")).text)[0] == "59"
    assert "Nothing found" in visitor.get("/audit?actor=nobody").words
    masked = visitor.get("/audit?actor=masked").words
    for wrong in ("older=x", "action=nothing", "actor=%00", "target=" + "x" * 500, "newer=%FF"):
        assert visitor.get(f"/audit?{wrong}").status == 200
    assert "13900000001" not in masked
    assert "01973a5e-7d1c-7b3a-9c11-138765432101" in masked


def test_whatever_the_audit_knows_is_told_in_words() -> None:
    assert (set(ACTIONS), set(VIA)) == (set(Action), set(Via))


def somebody_did(admin: Admin, number: int) -> None:
    Act(Action.KEY_CREATED, "walker", Via.CLI, f"number {number}").record(admin.store)
    if number == 0:
        Act(Action.OPTOUT_LIFTED, "masked", Via.CLI, "+8613900000001", {"reason": "13900000001"}).record(admin.store)
        Act(Action.SEND_QUEUED, "masked", Via.CLI, "01973a5e-7d1c-7b3a-9c11-138765432101").record(admin.store)


def test_what_is_not_there_is_told_in_both_languages(admin: Admin) -> None:
    visitor = Visitor(admin.port)
    answer = visitor.get("/nowhere/13900000001")
    assert (answer.status, "There is nothing here" in answer.words) == (404, True)
    assert answer.headers["X-Request-Id"] in answer.words
    assert "13900000001" not in answer.text
    assert "这里什么也没有" in Visitor(admin.port, {}).get("/nowhere").words
    assert "13900000001" not in admin.log
    wrong = visitor._ask("DELETE", "/login", None, {})
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")


def test_a_database_that_is_gone_is_told_on_a_page(postgres: Postgres, tmp_path: Path) -> None:
    postgres.start()
    with running(postgres.create_database(), tmp_path) as admin:
        visitor = visiting(admin.port, admin.store, somebody(admin.store, Role.VIEWER))
        postgres.stop("immediate")
        for path in ("/", "/login"):
            answer = visitor.get(path)
            assert (answer.status, "The database can't be used" in answer.words) == (503, True)
        assert visitor.get("/healthz").status == 200
        postgres.start()
        assert visitor.get("/").status == 200


def test_every_page_forbids_what_it_does_not_need(admin: Admin, log_in: LogIn) -> None:
    visitor = log_in(Role.ADMIN)
    for path in ("/", "/login", "/account", "/nowhere", "/static/console.css"):
        headers = visitor.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
    assert visitor.get("/account").headers["Cache-Control"] == "no-store"
    page = visitor.get("/").text
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", page)
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        assert "immutable" in visitor.get(address).headers["Cache-Control"]
    outside = [link for link in re.findall(r'(?:href|src|action)="([^"]+)"', page) if not link.startswith(("/", "#"))]
    assert outside == []


@pytest.mark.parametrize(
    "junk", ["\x00", "\ud800", "x" * 10_000, "'; drop table people; --", "<script>", "%", "{{7*7}}"]
)
def test_junk_in_forms_gives_messages(junk: str, admin: Admin, log_in: LogIn) -> None:
    visitor = log_in(Role.ADMIN)
    visitor.get("/people")
    written = junk.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    for path, fields in {
        "/people": ("name", "role"),
        "/account/zone": ("zone",),
        "/account/password": ("old", "password", "again"),
        "/account/second-factor": ("secret", "code"),
        "/preferences": ("next", "locale", "theme"),
    }.items():
        answer = visitor.post(path, **dict.fromkeys(fields, written))
        assert answer.status in (303, 400, 422, 429), path
        assert "<script>" not in answer.text
