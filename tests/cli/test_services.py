"""``receiver services``."""

import pytest

from receiver.store.store import Store
from tests.cli.conftest import Filled, Run


def test_a_service_is_added_changed_listed_and_removed(filled: Filled, run: Run) -> None:
    assert run("services", "add", "news", "--name", "新闻", "--number", "10690001", "--prefix", "10690002").status == 0
    assert run("services", "add", "offers", "--name", "优惠").rows == [
        {"code": "offers", "name": "优惠", "numbers": [], "prefixes": [], "status": "added"}
    ]
    rows = run("services", "list").rows
    assert [(row["code"], row["name"], row["numbers"], row["prefixes"], row["subscribers"]) for row in rows] == [
        ("news", "新闻", ["10690001"], ["10690002"], 0),
        ("offers", "优惠", [], [], 0),
    ]
    assert run("services", "add", "news", "--name", "News").rows == [
        {"code": "news", "name": "News", "numbers": ["10690001"], "prefixes": ["10690002"], "status": "changed"}
    ]
    assert run("services", "list", "--limit", "1").rows[0]["numbers"] == ["10690001"]
    assert run("services", "add", "news", "--name", "News", "--number", "10690009").status == 0
    [row, _] = run("services", "list").rows
    assert (row["name"], row["numbers"], row["prefixes"]) == ("News", ["10690009"], [])
    assert [row["code"] for row in run("services", "list", "--after", "news").rows] == ["offers"]
    assert run("services", "remove", "news").rows == [{"code": "news", "status": "removed"}]
    assert run("services", "remove", "news").status == 1
    assert "offers" in run("services", "list", "--format", "csv").out


def test_a_number_belongs_to_one_service(filled: Filled, run: Run) -> None:
    run("services", "add", "news", "--name", "News", "--number", "10690001", "--prefix", "1070")
    for option, number in (("--number", "10690001"), ("--prefix", "1070")):
        ran = run("services", "add", "offers", "--name", "Offers", option, number)
        assert ran.status == 1
        assert f"{number} belongs to news" in ran.err
    assert run("services", "add", "offers", "--name", "Offers", "--prefix", "10690001").status == 0
    assert len(run("services", "list").rows) == 2


def test_a_service_that_somebody_had_stays(filled: Filled, run: Run) -> None:
    run("services", "add", "news", "--name", "News", "--number", "10690001")
    run("subscriptions", "add", "13900000001", "news")
    run("subscriptions", "cancel", "13900000001", "news")
    assert run("services", "remove", "news").status == 1
    assert run("services", "list").rows[0]["numbers"] == ["10690001"]


def test_new_replies_are_filed_by_it(filled: Filled, run: Run, database_url: str) -> None:
    run("services", "add", "news", "--name", "News", "--prefix", "1069")
    run("services", "add", "offers", "--name", "Offers", "--number", "10690001")
    filled.store = Store(database_url, pooled=False)
    for dst, service in (("10690001", "offers"), ("106900011", "news"), ("95555", None)):
        filled.reply(b"src=13900000001&dst=%s&msg=hello" % dst.encode())
        assert run("messages", "list", "--dst", dst).rows[0]["service"] == service


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "news"),
        ("add", "a b", "--name", "x"),
        ("add", "x" * 65, "--name", "x"),
        ("add", "news", "--name", " "),
        ("add", "news", "--name", "x", "--number", "1069a"),
        ("add", "news", "--name", "x", "--prefix", ""),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], sqlite: Filled, run: Run) -> None:
    assert run("services", *arguments).status == 2
    assert run("services", "list").rows == []
