"""Replies as people read them: found, revealed, exported, read anew, told as they come in, and as a conversation."""

import json
import re
from datetime import UTC, datetime
from http.client import HTTPConnection
from urllib.parse import quote
from uuid import UUID

import pytest

from receiver.access import Scope
from receiver.access.people import People
from receiver.access.roles import Role
from receiver.admin.tail import MOST_OF_ONE
from receiver.gateway.sending import Sending, SendRequest
from receiver.optout import services
from receiver.vocabulary import Charset, Origin, Reading, Reply, new_id
from tests.admin.conftest import Admin
from tests.admin.console.conftest import LogIn
from tests.admin.console.visitor import Visitor, somebody, visiting
from tests.filled import WINDOW

PHONE, WHOLE, MASKED = "13900000001", "+8613900000001", "+86139****0001"


def texts(page: str) -> list[str]:
    """The texts in a list of replies."""
    return re.findall(r'<td class="wide">(.*?)</td>', page)


def linked(page: str, rel: str) -> str:
    (address,) = re.findall(rf'rel="{rel}" href="([^"]+)"', page)
    return str(address.replace("&amp;", "&"))


def test_the_list_is_found_by_what_is_in_its_address(admin: Admin, log_in: LogIn) -> None:
    long_ago = datetime(2026, 1, 31, 17, tzinfo=UTC)  # of February there
    admin.filled.reply(b"src=13900000001&dst=10690001&msg=filtered%20apple")
    admin.filled.reply(b"src=13900000001&dst=10690001&msg=filtered%20apple")
    admin.filled.reply(b"src=13900000001&dst=10690002&msg=filtered%20pear", origin=Origin.POLL)
    admin.filled.reply(b"src=13900000002&dst=10690002&msg=filtered%20plum", at=long_ago)
    visitor = log_in(Role.VIEWER)
    for query, expected in {
        "": ["pear", "apple", "apple", "plum"],
        "&text=APPLE": ["apple", "apple"],
        "&dst=10690002": ["pear", "plum"],
        "&origin=poll": ["pear"],
        "&duplicates=yes": ["apple"],
        "&duplicates=no": ["pear", "apple", "plum"],
        "&kind=unsubscribe": [],
        "&since=2026-02-01&until=2026-02-01": ["plum"],
        "&until=2026-01-31": [],
    }.items():
        page = visitor.get(f"/replies?text=filtered{query}" if "text" not in query else f"/replies?{query[1:]}")
        assert page.status == 200
        assert [text.removeprefix("filtered ") for text in texts(page.text)] == expected, query
    assert "2026-02-01 01:00:00" in visitor.get("/replies?since=2026-02-01&until=2026-02-01").words
    marked = visitor.get("/replies?text=filtered").words
    assert "duplicate?" in marked
    assert "pulled" in marked
    services.change(admin.store, "fruit", "Fruit and more")
    assert '<option value="fruit">Fruit and more</option>' in visitor.get("/replies").text
    assert "Without filters" in marked
    assert "Without filters" not in visitor.get("/replies").words


def test_a_row_leads_to_the_reply_and_to_its_senders_conversation(admin: Admin, log_in: LogIn) -> None:
    sent = admin.filled.reply(b"src=13900000001&dst=10690000&msg=leading")
    again = admin.filled.reply(b"src=13900000001&dst=10690000&msg=leading")
    empty = admin.filled.reply(b"src=13900000001&dst=10690000&msg=%20")
    visitor = log_in(Role.VIEWER)
    page = visitor.get("/replies?text=leading").text
    row = page.partition(f'id="reply-{again.hex}"')[2].partition("</tr>")[0]
    assert re.findall(r'href="([^"]+)"', row) == [f"/replies/{again}", f"/replies/{again}/conversation"]
    shown = visitor.get(f"/replies/{again}")
    assert f'href="/replies/{sent}">an earlier reply' in shown.text
    assert "(empty)" in visitor.get("/replies").text.partition(f'id="reply-{empty.hex}"')[2].partition("</tr>")[0]


def test_a_filter_that_can_not_be_used_is_told_beside_its_field(admin: Admin, log_in: LogIn) -> None:
    visitor = log_in(Role.VIEWER)
    for query, told in {
        "since=yesterday": "Write a day like",
        "until=0001-01-01": "Write a day like",
        "until=9999-12-31": "Write a day like",
        "kind=nonsense": "Choose one of these",
        "duplicates=maybe": "Choose one of these",
        "text=" + "x" * 201: "at most 200",
        "dst=%00": "without control characters",
    }.items():
        page = visitor.get(f"/replies?{query}")
        assert (page.status, told in page.words) == (422, True), query
    for query in ("older=x", "newer=%FF", "of="):
        assert visitor.get(f"/replies?{query}").status == 200
    for query in ("of=x", f"of={UUID(int=0)}"):
        assert visitor.get(f"/replies?{query}").status == 404


def test_pages_walk_through_all_with_the_filters(admin: Admin, log_in: LogIn) -> None:
    for number in range(60):
        admin.filled.reply(b"src=1390000%04d&dst=10690000&msg=walk%%20%d" % (number, number))
    visitor = log_in(Role.VIEWER)
    first = visitor.get("/replies?text=walk")
    second = visitor.get(linked(first.text, "next"))
    assert texts(first.text) + texts(second.text) == [f"walk {number}" for number in range(59, -1, -1)]
    assert texts(visitor.get(linked(second.text, "prev")).text) == texts(first.text)
    assert "hx-sse:connect" in first.text
    assert "hx-sse:connect" not in second.text, "what comes in is no part of an older page"


def test_phones_are_masked_until_somebody_who_may_asks_and_is_noted(admin: Admin, log_in: LogIn) -> None:
    sent = admin.filled.reply(b"src=13900000001&dst=10690000&msg=call%20139-0000-0001%20veiled")
    pages = ("/replies?text=veiled&", f"/replies/{sent}?", f"/replies/{sent}/conversation?")
    before = admin.rows("audit", action="messages.read")
    for role in (Role.VIEWER, Role.OPERATOR):
        visitor = log_in(role)
        for page in pages:
            for asked in ("", "reveal=1"):
                shown = visitor.get(page + asked)
                is_whole = role is Role.OPERATOR and asked != ""
                assert (WHOLE in shown.text, "139-0000-0001" in shown.text) == (is_whole, is_whole), (page, role)
                assert PHONE not in re.sub(r"\+86" + PHONE, "", shown.text) or is_whole
                assert PHONE not in shown.text.partition("</title>")[0], "a browser keeps titles in its history"
                assert ("Show phones whole" in shown.words) == (role is Role.OPERATOR and not is_whole)
    assert "role doesn't see whole" in log_in(Role.VIEWER).get(f"/replies/{sent}?reveal=1").words
    noted = [(row["actor"], row["target"]) for row in admin.rows("audit", action="messages.read")[len(before) :]]
    assert noted == [("operator", None), ("operator", str(sent)), ("operator", str(sent))]


def test_one_reply_that_was_revealed_is_no_leave_to_see_them_all_unnoted(fresh_admin: Admin) -> None:
    sent = fresh_admin.filled.reply(b"src=13900000001&dst=10690000&msg=hello")
    visitor = visiting(fresh_admin.port, fresh_admin.store, somebody(fresh_admin.store, Role.OPERATOR))
    for page in (f"/replies/{sent}", "/replies", "/replies"):
        assert WHOLE in visitor.get(f"{page}?reveal=1").text
    assert [row["target"] for row in fresh_admin.rows("audit", action="messages.read")] == [str(sent), None]


def test_a_phone_is_found_by_a_form_and_never_in_an_address(admin: Admin, log_in: LogIn) -> None:
    admin.filled.reply(b"src=13900000077&dst=10690000&msg=sought")
    visitor = log_in(Role.VIEWER)
    visitor.get("/replies")
    led = visitor.post("/replies/find", phone="+86 139-0000-0077")
    assert re.fullmatch(r"/replies/[0-9a-f-]{36}/conversation", led.headers["Location"])
    assert "sought" in visitor.get(led.headers["Location"]).words
    assert "No reply came" in visitor.post("/replies/find", phone="13900000078").words
    told = visitor.post("/replies/find", phone=" ")
    assert "Write something" in told.words
    page = visitor.get("/replies")
    assert not re.search(r'(?:href|action|src|connect)="[^"]*139\d{8}', page.text)


def test_each_phone_that_is_looked_for_is_noted_masked_whether_it_is_known_or_not(fresh_admin: Admin) -> None:
    fresh_admin.filled.reply(b"src=13900000077&dst=10690000&msg=sought")
    for role in (Role.VIEWER, Role.OPERATOR):
        visitor = visiting(fresh_admin.port, fresh_admin.store, somebody(fresh_admin.store, role))
        visitor.get("/replies")
        assert visitor.post("/replies/find", phone="139 0000 0077").status == 303
        assert visitor.post("/replies/find", phone="13900000078").status == 422
        assert visitor.post("/optouts/search", phone="13900000077").status == 200
    noted = [(row["actor"], row["target"], row["detail"]) for row in fresh_admin.rows("audit", action="phone.searched")]
    assert noted == [
        (role, f"+86139****00{ending}", {"within": within, "known": known})
        for role in ("viewer", "operator")
        for ending, within, known in (("77", "replies", True), ("78", "replies", False), ("77", "optouts", False))
    ]


def test_an_export_tells_beside_how_far_it_is(admin: Admin, log_in: LogIn) -> None:
    for number in range(3):
        admin.filled.reply(b"src=13900000001&dst=10690077&msg=told%%20%d" % number)
    visitor = log_in(Role.COMPLIANCE)
    visitor.get("/replies")
    export = str(new_id())
    begins = visitor.get(f"/exports/{export}")
    assert "The export begins" in begins.words
    assert f'hx-get="/exports/{export}"' in begins.text
    for form in ("csv", "jsonl"):
        export = str(new_id())
        visitor.post("/replies/export?dst=10690077", format=form, progress=export)
        over = visitor.get(f"/exports/{export}")
        assert "The export is done: 3 rows" in over.words
        assert "hx-get" not in over.text, "it is over, and not asked for again"
    assert "The export begins" in log_in(Role.ADMIN).get(f"/exports/{export}").words, "it is nobody else's"
    visitor.post("/replies/export?dst=10690077", format="csv", progress="nonsense")
    visitor.get("/optouts")
    export = str(new_id())
    visitor.post("/optouts/export", format="csv", progress=export)
    assert "The export is done" in visitor.get(f"/exports/{export}").words


def test_a_phone_that_is_written_as_a_text_is_led_elsewhere_and_never_repeated_by_a_link(
    admin: Admin, log_in: LogIn
) -> None:
    visitor = log_in(Role.OPERATOR)
    for query in ("text=ask%20139-0000-0077", "dst=%2B8613900000077"):
        page = visitor.get(f"/replies?{query}&kind=reply", **{"HX-Request": "true"})
        assert (page.status, "No address may hold a phone" in page.words) == (422, True)
        assert page.headers["HX-Replace-Url"] == "/replies?kind=reply"
    assert visitor.get("/replies?text=order%2012345678").status == 200, "a number that is no phone"


def test_masked_phones_are_not_found_digit_by_digit(admin: Admin, log_in: LogIn) -> None:
    admin.filled.reply(b"src=13900000001&dst=10690000&msg=ring%2013812345678%20tonight")
    for role, found in ((Role.VIEWER, 0), (Role.OPERATOR, 1)):
        assert len(texts(log_in(role).get("/replies?text=ring").text)) == 1
        assert len(texts(log_in(role).get("/replies?text=13812").text)) == found


def test_the_present_view_is_exported_and_noted(admin: Admin, log_in: LogIn) -> None:
    sent = admin.filled.reply(b"src=13900000001&dst=10690000&msg=exported%20once")
    admin.filled.reply(b"src=13900000002&dst=10690000&msg=exported%20twice")
    assert "Export" not in log_in(Role.VIEWER).get("/replies").words
    visitor = log_in(Role.OPERATOR)
    assert (
        f'action="/replies/export?text=exported&amp;of={sent}"' in visitor.get(f"/replies?text=exported&of={sent}").text
    )
    (row,) = visitor.post(f"/replies/export?text=exported&of={sent}", format="jsonl").text.splitlines()
    assert json.loads(row) == admin.api(Scope.MESSAGES_READ).get(f"/messages/{sent}").json
    cells = visitor.post("/replies/export?text=exported%20twice", format="csv").text
    assert cells.startswith("\ufeffid,received_at")
    assert "exported once" not in cells
    assert visitor.post("/replies/export?since=never", format="csv").status == 422
    assert visitor.post("/replies/export", format="pdf").status == 422
    noted = admin.rows("audit", action="messages.exported", actor="operator")
    assert noted[0]["detail"] == {
        "format": "jsonl",
        "filters": {"src": MASKED, "text": "8 characters"},
    }
    assert len(noted) == 2


def test_a_reply_is_read_otherwise_after_it_was_seen(admin: Admin, log_in: LogIn) -> None:
    written = "你好".encode("gb18030")
    sent = admin.filled.reply(b"src=13900000003&dst=10690000&msg=" + quote(written).encode())
    visitor = log_in(Role.OPERATOR)
    page = visitor.get(f"/replies/{sent}")
    assert "c4 e3 ba c3" in page.words
    assert quote(written) in page.words
    assert "你好" in page.words
    assert "Read it so" in page.words
    assert "Read it so" not in log_in(Role.VIEWER).get(f"/replies/{sent}").words
    assert "Choose one of these" in visitor.post(f"/replies/{sent}/redecode", charset="ebcdic").words
    done = visitor.follow(f"/replies/{sent}/redecode", charset="utf-8").words
    assert "read otherwise from now on" in done
    assert "How it was read before" in done
    assert [row["charset"] for row in admin.rows("messages", id=sent)] == ["utf-8"]
    (noted,) = admin.rows("audit", action="message.redecoded", target=str(sent))
    assert (noted["actor"], noted["detail"]) == ("operator", {"charset": "utf-8"})
    assert visitor.get(f"/replies/{UUID(int=0)}").status == 404


def test_a_reading_that_says_stop_is_told_before_and_honoured_after(admin: Admin, log_in: LogIn) -> None:
    # 0000 in full width and GBK, which a reader who was told UTF-8 could not read.
    wire = b"%20" * 100 + quote("００００".encode("gb18030")).encode()
    said = Reading(Charset.UTF_8).delivery("13900000004", "10690000", wire)
    admin.filled.store.record([Reply(sent := new_id(), datetime.now(UTC), Origin.PUSH, None, said)], [], WINDOW)
    visitor = log_in(Role.OPERATOR)
    page = visitor.get(f"/replies/{sent}").words
    assert "It then says stop" in page
    assert "not opted out" in page
    done = visitor.follow(f"/replies/{sent}/redecode", charset="gb18030").words
    assert "The reply says stop" in done
    assert "not opted out" not in done


def test_a_reading_that_is_in_doubt_says_so(admin: Admin, log_in: LogIn) -> None:
    sent = admin.filled.reply(b"src=13900000009&dst=10690000&msg=" + quote("甬江".encode("gbk")).encode())
    page = log_in(Role.VIEWER).get(f"/replies/{sent}").words
    assert "charset in doubt" in page
    assert "read so in doubt" in page


def test_a_conversation_has_what_came_in_and_went_out_in_its_order(admin: Admin, log_in: LogIn) -> None:
    admin.filled.reply(b"src=13911110005&dst=10690000&msg=first%20word")
    Sending(admin.store).enqueue(SendRequest(["+8613911110005"], "an answer to it"), "li")
    last = admin.filled.reply(b"src=13911110005&dst=10690000&msg=0000")
    page = log_in(Role.VIEWER).get(f"/replies/{last}/conversation")
    assert re.findall(r'class="sms">(.*?)</p>', page.text) == ["first word", "an answer to it", "0000"]
    assert "by li queued" in page.words
    assert "Nothing is sent to this phone" in page.words
    (history,) = re.findall(r'href="(/optouts/\d+)">History and proof', page.text)
    assert "opted out" in log_in(Role.VIEWER).get(history).words
    assert "13911110005" not in page.text


def test_a_reply_that_comes_in_is_told_as_a_row_and_ends_with_the_session(admin: Admin, log_in: LogIn) -> None:
    visitor = log_in(Role.VIEWER)
    page = visitor.get("/replies?text=lively")
    (address,) = re.findall(r'hx-sse:connect="([^"]+)"', page.text)
    sent = admin.filled.reply(b"src=13900000006&dst=10690000&msg=lively%20news")
    admin.filled.reply(b"src=13900000006&dst=10690000&msg=dull%20news")
    connection = HTTPConnection("127.0.0.1", admin.port, timeout=30)
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    connection.request("GET", address.replace("&amp;", "&"), headers={"Cookie": cookies})
    response = connection.getresponse()
    assert response.getheader("Content-Type", "").startswith("text/event-stream")
    told = b""
    while b"</tr>" not in told:
        told += response.readline()
    assert f'data: <tr id="reply-{sent.hex}">'.encode() in told
    assert b"lively news" in told
    assert b"139****0006" in told
    assert b"13900000006" not in told
    visitor.get("/account")
    visitor.post("/logout")
    assert b"dull" not in response.read(), "it ends by itself"
    connection.close()


def test_a_stream_that_is_only_asked_for_its_head_is_over(admin: Admin, log_in: LogIn) -> None:
    visitor = log_in(Role.VIEWER)
    for _ in range(MOST_OF_ONE + 1):
        assert visitor.head("/replies/live").status == 200


def test_phones_are_streamed_whole_no_longer_than_somebody_may_see_them(admin: Admin) -> None:
    person = somebody(admin.store, Role.OPERATOR, "demoted")
    visitor = visiting(admin.port, admin.store, person)
    connection = HTTPConnection("127.0.0.1", admin.port, timeout=30)
    connection.request("GET", "/replies/live?reveal=1", headers={"Cookie": visitor.cookie})
    response = connection.getresponse()
    assert response.readline().startswith(b"retry")
    People(admin.store).change(person, role=Role.VIEWER)
    assert response.read().strip() == b"", "it ends by itself"
    connection.close()


def test_a_stream_of_what_can_not_be_is_none(admin: Admin, log_in: LogIn) -> None:
    assert log_in(Role.VIEWER).get("/replies/live?kind=nonsense").status == 204
    assert Visitor(admin.port).get("/replies/live").status == 303


@pytest.mark.parametrize("junk", ["\x00", "x" * 3_000, "'; drop table messages; --", "<script>", "%", "{{7*7}}"])
def test_junk_gives_messages(junk: str, admin: Admin, log_in: LogIn) -> None:
    visitor = log_in(Role.ADMIN)
    visitor.get("/replies")
    fields = ("text", "since", "until", "kind", "service", "dst", "origin", "duplicates")
    for name in fields:
        answer = visitor.get(f"/replies?{name}={quote(junk)}")
        assert answer.status in (200, 422), name
        assert "<script>" not in answer.text
    assert visitor.post("/replies/find", phone=junk).status == 422
