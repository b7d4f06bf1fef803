"""The pages of services: added, changed, removed; and what is refused is told beside its field."""

import pytest

from receiver.access.roles import Role
from tests.admin.conftest import Admin
from tests.admin.console.conftest import LogIn


def test_a_service_is_added_changed_and_removed(admin: Admin, log_in: LogIn) -> None:
    boss = log_in(Role.ADMIN)
    assert "There is no service yet" in boss.get("/services").words
    page = boss.follow("/services", code="news", name="每日新闻", numbers="106900001, 106900002", prefixes="10690003")
    assert "Saved." in page.words
    assert "106900001, 106900002" in page.words
    page = boss.follow("/services/news", name="News", numbers="106900001", prefixes="")
    assert "News" in page.words
    numbers = [(row["number"], row["is_prefix"]) for row in admin.rows("service_numbers", service="news")]
    assert numbers == [("106900001", False)]
    assert boss.post("/services/news/remove", confirm="new").status == 422
    assert "The service is removed." in boss.follow("/services/news/remove", confirm="news").words
    assert boss.get("/services/news").status == 404
    noted = [(row["action"], row["actor"], row["via"]) for row in admin.rows("audit", target="news")]
    assert noted == [
        (f"service.{done}", "admin", "console") for done in ("changed", "changed", "removed")
    ]  # fmt: skip


def test_what_can_not_be_is_told_and_changes_nothing(admin: Admin, log_in: LogIn) -> None:
    boss = log_in(Role.ADMIN)
    boss.get("/services")
    boss.follow("/services", code="first", name="First", numbers="10691", prefixes="1070")
    admin.all_powerful.put("/subscriptions/13900000001/first", {}).ok()
    for fields, told in (
        ({"code": "first", "name": "x"}, "There is a service of this code already"),
        ({"code": "a b", "name": "x"}, "1 to 64 letters"),
        ({"code": "second", "name": " "}, "Write something here"),
        ({"code": "second", "name": "x", "numbers": "12a"}, "1 to 32 digits"),
        ({"code": "second", "name": "x", "numbers": "1 " * 501}, "at most 500 numbers"),
        ({"code": "second", "name": "x", "numbers": "10691"}, "10691 belongs to first"),
        ({"code": "second", "name": "x", "prefixes": "1070"}, "1070 belongs to first"),
    ):
        answer = boss.post("/services", **fields)
        assert (answer.status, told in answer.words) == (422, True), answer.words
    subscribed = boss.post("/services/first/remove", confirm="first")
    assert (subscribed.status, "it can't be removed" in subscribed.words) == (422, True)
    boss.cookies["receiver_locale"] = "zh"
    assert "属于 first" in boss.post("/services", code="second", name="x", numbers="10691").words
    assert [row["code"] for row in admin.rows("services")] == ["first"]
    viewer = log_in(Role.VIEWER)
    page = viewer.get("/services/first")
    assert "Subscribers 1" in page.words
    assert "Change it" not in page.words


@pytest.mark.parametrize(
    "junk", ["\x00", "x" * 10_000, "'; drop table services; --", "<script>", "%(name)s", "{{7*7}}"]
)
def test_junk_in_the_forms_of_services_gives_messages(junk: str, admin: Admin, log_in: LogIn) -> None:
    visitor = log_in(Role.ADMIN)
    visitor.get("/services")
    for path, fields in {
        "/services": ("code", "name", "numbers", "prefixes"),
        "/services/first": ("name", "numbers"),
        "/services/first/remove": ("confirm",),
    }.items():
        answer = visitor.post(path, **dict.fromkeys(fields, junk))
        assert answer.status in (404, 422), path
        assert "<script>" not in answer.text
    for path in ("/services?after=%00", "/services?after=" + "x" * 500, "/services/a%20b", "/services/" + "x" * 500):
        assert visitor.get(path).status in (200, 404)
