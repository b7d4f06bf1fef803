"""Messages over the API: found by any filters, in pages both ways, and not sent again while they are the same."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from receiver.access import Scope
from receiver.store import feed
from tests.admin.client import Api
from tests.admin.conftest import Admin
from tests.intake.replies import reply

WINDOW = timedelta(0)


@pytest.fixture(scope="module")
def stored(admin: Admin) -> list[str]:
    texts = [f"第{number}条 你好" if number % 3 else f"第{number}条 Thanks" for number in range(25)]
    for text in texts:
        admin.store.record([reply(text, dst="10699999")], [], WINDOW)
    return texts


def test_pages_go_on_to_the_end_and_back(admin: Admin, stored: list[str]) -> None:
    api = admin.api(Scope.MESSAGES_READ)
    walked = [row["text"] for row in api.walk("/messages", dst="10699999", limit=4)]
    assert walked == stored[::-1]
    page = api.get("/messages", dst="10699999", limit=4).ok()
    assert api.get("/messages", dst="10699999", limit=4, cursor=page["previous"]).ok()["items"] == []
    older = api.get("/messages", dst="10699999", limit=4, cursor=page["next"]).ok()
    back = api.get("/messages", dst="10699999", limit=4, cursor=older["previous"]).ok()
    assert back["items"] == page["items"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"text": "你好"}, 16), ({"text": "ＴＨＡＮＫＳ"}, 9), ({"text": "好"}, 16), ({"text": "没有"}, 0),
        ({"text": "第7条"}, 1), ({"src": "139 0000 5001"}, 25), ({"src": "13900005002"}, 0),
        ({"kind": "unsubscribe"}, 0), ({"kind": "reply"}, 25),
        ({"origin": "poll"}, 0), ({"duplicates": True}, 0), ({"duplicates": False, "text": "thanks"}, 9),
        ({"service": "none"}, 0), ({"until": "2020-01-01T00:00:00Z"}, 0),
        ({"since": "2020-01-01T08:00:00+08:00"}, 25),
    ],
)  # fmt: skip
def test_filters_choose(admin: Admin, stored: list[str], query: dict[str, object], count: int) -> None:
    api = admin.api(Scope.MESSAGES_READ)
    assert len(api.walk("/messages", dst="10699999", limit=7, **query)) == count


def test_one_message_is_sent_again_when_it_has_changed(admin: Admin, stored: list[str]) -> None:
    api = admin.api(Scope.MESSAGES_READ)
    path = f"/messages/{api.get('/messages', dst='10699999', limit=1).ok()['items'][0]['id']}"
    first = api.get(path)
    tag = first.headers["ETag"]
    assert first.ok()["text"] == stored[-1]
    assert api.request("GET", path, headers={"If-None-Match": tag}).status == 304
    with admin.store.writing() as transaction:
        feed.touch(transaction, [UUID(path.rpartition("/")[2])])
    again = api.request("GET", path, headers={"If-None-Match": tag})
    assert again.status == 200
    assert again.headers["ETag"] != tag
    api.get("/messages/01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21").problem(404)


def test_who_reads_is_noted_once_an_hour(admin: Admin, stored: list[str]) -> None:
    made = admin.key(Scope.MESSAGES_READ, name="reader")

    api = Api(admin.port, made.token)
    for _ in range(5):
        api.get("/messages").ok()
    hours = {row["at"].replace(minute=0, second=0, microsecond=0) for row in admin.rows("audit", key_id=made.key.id)}
    assert len(admin.rows("audit", key_id=made.key.id)) == len(hours)
    assert datetime.now(UTC) - max(hours) < timedelta(hours=2)
