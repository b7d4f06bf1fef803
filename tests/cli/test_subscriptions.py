"""``receiver subscriptions``."""

import csv
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from receiver.store import engine, tables
from receiver.vocabulary import new_id
from tests.cli.conftest import Filled, Run

WHY = ("--reason", "asked by telephone", "--actor", "Li Na")


@pytest.fixture
def news(filled: Filled, run: Run) -> Filled:
    run("services", "add", "news", "--name", "News")
    run("services", "add", "offers", "--name", "Offers")
    return filled


def test_a_phone_gets_a_service_and_ends_it(news: Filled, run: Run) -> None:
    assert run("subscriptions", "add", "+86 139 0000 0001", "news", "--since", "2025-06-03").status == 0
    assert run("subscriptions", "add", "13900000001", "news").rows == [
        {"phone": "+86139****0001", "service": "news", "status": "already subscribed"}
    ]
    assert run("subscriptions", "add", "13900000002", "offers", "--reveal").rows == [
        {"phone": "+8613900000002", "service": "offers", "status": "subscribed"}
    ]
    rows = run("subscriptions", "list").rows
    assert [(row["phone"], row["service"]) for row in rows] == [
        ("+86139****0002", "offers"),
        ("+86139****0001", "news"),
    ]
    assert rows[1]["since"] == "2025-06-02T16:00:00.000000Z"
    assert [row["phone"] for row in run("subscriptions", "list", "--service", "news", "--reveal").rows] == [
        "+8613900000001"
    ]
    cancel = ("subscriptions", "cancel", "139 0000 0001", "news")
    for unexplained in ((), WHY[:2], WHY[2:]):
        assert run(*cancel, *unexplained).status == 2
    assert run(*cancel, *WHY).rows == [{"phone": "+86139****0001", "service": "news", "status": "cancelled"}]
    assert run(*cancel, *WHY).status == 1
    [event] = run("optouts", "history", "13900000001").rows
    assert (event["type"], event["actor"]) == ("service_cancelled", "Li Na")
    assert event["detail"] == {"service": "news", "reason": "asked by telephone"}
    assert run("optouts", "verify").status == 0
    assert run("subscriptions", "list", "--phone", "13900000001").rows == []
    [ended] = run("subscriptions", "list", "--phone", "139 0000 0001", "--all").rows
    assert ended["cancelled_at"] is not None
    assert len(run("subscriptions", "list", "--all", "--limit", "1", "--after", ended["id"]).rows) == 0


def test_stop_ends_all_of_one_phones_and_lets_none_begin(news: Filled, run: Run) -> None:
    for service in ("news", "offers"):
        run("subscriptions", "add", "13900000001", service)
    message = news.reply(b"src=13900000001&dst=1069&msg=0000")
    assert run("subscriptions", "list").rows == []
    ended = run("subscriptions", "list", "--all").rows
    assert {row["cancelled_by"] for row in ended} == {str(message)}
    refused = run("subscriptions", "add", "13900000001", "news")
    assert refused.status == 1
    assert "opted out" in refused.err
    run("optouts", "lift", "13900000001", *WHY)
    assert run("subscriptions", "list").rows == []
    assert run("subscriptions", "add", "13900000001", "news").status == 0


def test_what_cant_be_is_refused(news: Filled, run: Run) -> None:
    assert run("subscriptions", "add", "13900000001", "nothing").status == 1
    assert run("subscriptions", "add", "12", "news").status == 2
    later = run("subscriptions", "add", "13900000001", "news", "--since", "2999-01-01")
    assert (later.status, "future" in later.err) == (2, True)
    assert run("subscriptions", "list").rows == []


def test_an_argument_that_is_no_utf_8_is_not_found(news: Filled, run: Run) -> None:
    odd = os.fsdecode(b"139\xff")
    for option in ("--phone", "--service"):
        listed = run("subscriptions", "list", option, odd)
        assert (listed.status, listed.out, listed.err) == (0, "", "")
    added = run("subscriptions", "add", "13900000001", odd)
    assert (added.status, "there is no service 139?" in added.err) == (1, True)
    ended = run("subscriptions", "cancel", "13900000001", odd, *WHY)
    assert (ended.status, "does not have that service" in ended.err) == (1, True)


def test_who_meets_an_import_that_has_the_same_is_told_to_wait(
    postgresql_url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SQLite has one writer at a time: there it is another that is in the way.
    monkeypatch.setattr(engine, "LOCK_TIMEOUT", 1)
    monkeypatch.setenv("RECEIVER_DATABASE_URL", postgresql_url)
    news = Filled(postgresql_url)
    run("services", "add", "news", "--name", "News")
    row = {"id": new_id(), "phone": "+8613900000001", "service": "news", "since": datetime.now(UTC)}
    with news.store.writing() as importing:
        importing.execute(insert(tables.subscriptions), row)
        ran = run("subscriptions", "add", "13900000001", "news")
    assert ran.status == 3
    assert len(ran.err.splitlines()) == 1
    assert "an import" in ran.err
    assert "try again" in ran.err
    news.store.close()


def test_an_import_that_keeps_no_row_leaves_none_of_an_earlier_one(news: Filled, run: Run) -> None:
    listed, kept = Path("subscribers.csv"), Path("subscribers.csv.rejected.csv")
    news.reply(b"src=13900000003&dst=1069&msg=0000")
    for content, is_kept in (("12,news\n", True), ("13900000003,news\n", True), ("13900000002,news\n", False)):
        listed.write_text(f"phone,service\n13900000001,news\n{content}")
        assert run("subscriptions", "import", listed, "--skip-bad").status == 0
        assert kept.exists() is is_kept


def test_a_list_is_imported_whole_or_not(news: Filled, run: Run) -> None:
    news.reply(b"src=13900000003&dst=1069&msg=0000")
    run("subscriptions", "add", "13900000004", "news")
    Path("subscribers.csv").write_text(
        "service,phone,since\n"
        "news,13900000001,2025-06-03\n"  # 2
        "nothing,13900000002,\n"  # 3
        "news,12,\n"  # 4
        "news,13900000003,\n"  # 5: opted out
        "offers,13900000001,\n"  # 6
        "news,+86 13900000001,\n"  # 7: again
        "news,13900000004,\n"  # 8: has it already
        "news,13900000005,soon\n"  # 9
    )
    refused = run("subscriptions", "import", "subscribers.csv")
    assert refused.status == 1
    assert "3 of 8 rows" in refused.err
    assert len(run("subscriptions", "list").rows) == 1
    assert [row["line"] for row in _kept()] == ["3", "4", "9"]

    done = run("subscriptions", "import", "subscribers.csv", "--skip-bad")
    assert done.status == 0
    [counts] = done.rows
    assert [counts[name] for name in ("rows", "new", "already", "opted_out", "rejected")] == [8, 2, 2, 1, 3]
    kept = _kept()
    assert [(row["line"], row["problem"]) for row in kept] == [
        ("3", "there is no service 'nothing'"),
        ("4", "is no phone number: write it like 13912345678 or +8613912345678"),
        ("9", "since is no date or time: write it like 2025-06-03 or 2025-06-03T17:00"),
        ("5", "is opted out"),
    ]
    assert (kept[3]["phone"], kept[3]["service"]) == ("+8613900000003", "news")
    active = run("subscriptions", "list", "--reveal").rows
    assert sorted((row["phone"], row["service"]) for row in active) == [
        ("+8613900000001", "news"),
        ("+8613900000001", "offers"),
        ("+8613900000004", "news"),
    ]
    again = run("subscriptions", "import", "subscribers.csv", "--skip-bad").rows[0]
    assert (again["new"], again["already"]) == (0, 4)


def test_a_list_without_the_columns_is_refused(news: Filled, run: Run) -> None:
    Path("subscribers.csv").write_text("phone\n13900000001\n")
    ran = run("subscriptions", "import", "subscribers.csv")
    assert ran.status == 1
    assert "no column service" in ran.err


def _kept() -> list[dict[str, str]]:
    with Path("subscribers.csv.rejected.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
