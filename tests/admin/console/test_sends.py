"""Sending in the console: previewed with the guard, stored once, followed, settled, cancelled."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from receiver import create_admin_app
from receiver.access.roles import Role
from receiver.access.sessions import Sessions
from receiver.admin.console.cookies import SESSION
from receiver.config import apart
from receiver.gateway.sending import Enqueued, Sending, Unknown
from receiver.gateway.simulator.gateway import Fault, Kind, Page, SimulatedGateway
from receiver.store import sends
from receiver.vocabulary import earliest_id, new_id
from tests.admin.conftest import Admin
from tests.admin.console.conftest import LogIn
from tests.admin.console.sending import console_with_gateway, dispatch
from tests.admin.console.visitor import Shown, Visitor, somebody
from tests.filled import Filled

STOPPED, PHS = "13900000002", "0755 8231 6688"
NUMBERS = iter(range(13_900_001_000, 13_900_009_000))


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Admin, SimulatedGateway]]:
    with console_with_gateway(tmp_path_factory.mktemp("sends")) as started:
        started[0].filled.reply(f"src={STOPPED}&dst=1069&msg=0000".encode())
        yield started


@pytest.fixture(scope="module")
def admin(beside: tuple[Admin, SimulatedGateway]) -> Admin:
    return beside[0]


@pytest.fixture(scope="module")
def gateway(beside: tuple[Admin, SimulatedGateway]) -> SimulatedGateway:
    return beside[1]


@pytest.fixture
def operator(log_in: LogIn) -> Visitor:
    visitor = log_in(Role.OPERATOR)
    visitor.get("/sends/new")
    return visitor


def kept(page: Shown) -> dict[str, str]:
    """What a preview carries on."""
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    areas = re.findall(r'<textarea name="(\w+)" hidden>([^<]*)</textarea>', page.text)
    return {name: unescape(value) for name, value in (*fields, *areas) if name != "csrf"}


def sent(visitor: Visitor, text: str = "明天停水", **fields: str) -> str:
    """The address of a send that was previewed and stored."""
    fields.setdefault("phones", str(next(NUMBERS)))
    page = visitor.post("/sends/new/preview", text=text, **fields)
    assert page.status == 200, page.words
    answer = visitor.post("/sends/new", **kept(page))
    assert answer.status == 303, answer.words
    return answer.headers["Location"].partition("?")[0]


def test_the_preview_tells_what_it_comes_to_and_nothing_is_stored(admin: Admin, operator: Visitor) -> None:
    before = len(admin.rows("sends"))
    phones = f"139 0000 0001, +86{STOPPED}\r\n13900000001；{PHS}\n12\n+852 9123 4567"
    page = operator.post("/sends/new/preview", text="明天停水", phones=phones, check="on")
    assert page.status == 200, page.words
    for told in (
        "Recipients 2", "SMS in all 2", "Characters 4 The text is allowed", "Named again 1", "1 person said stop",
        "2 entries can't be sent to", "12 no phone number", "of another country",
        "mobiles 1 1", "area code (PHS) 1 1", "Send to 2 people",
    ):  # fmt: skip
        assert told in page.words, (told, page.words)
    assert kept(page)["phones"].split("\n") == ["139 0000 0001", f"+86{STOPPED}", "13900000001", PHS]
    assert len(admin.rows("sends")) == before
    again = operator.post("/sends/new/edit", **kept(page))
    assert "139 0000 0001" in again.text
    assert "明天停水" in again.text


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"text": "  "}, "nothing in this one can be seen"), ({"text": "长" * 61}, "61 characters, and at most 60"),
        ({"text": "长" * 41, "phones": PHS}, "at most 40"), ({"text": "a\x00b"}, "U+0000"),
        ({"text": "长" * 241, "long": "on"}, "at most 240"), ({"long": "on", "phones": PHS}, "to mobiles only"),
        ({"phones": ""}, "nobody to send to"), ({"phones": "12"}, "nobody to send to"),
        ({"sender": "x"}, "digits only"), ({"sender": "123456789"}, "at most 8 digits"),
        ({"at": "2020-01-01T10:00"}, "past"),
        ({"at": "2190-01-01T10:00"}, "more than a year"), ({"at": "soon"}, "a date and a time"),
    ],
)  # fmt: skip
def test_what_can_not_be_sent_is_told_beside_its_field(fields: dict[str, str], says: str, operator: Visitor) -> None:
    for path in ("/sends/new/preview", "/sends/new"):
        page = operator.post(path, **{"text": "明天停水", "phones": "13900000001", **fields})
        assert (page.status, says in page.words) == (422, True), page.words
        assert 'aria-invalid="true"' in page.text


def test_a_browser_s_line_ends_count_once(operator: Visitor) -> None:
    page = operator.post("/sends/new/preview", text="a\r\nb" + "c" * 57, phones="13900000001")
    assert "Characters 60" in page.words


def test_a_form_that_is_sent_often_and_at_once_is_one_send(
    admin: Admin, gateway: SimulatedGateway, operator: Visitor
) -> None:
    phone = str(next(NUMBERS))
    fields = kept(operator.post("/sends/new/preview", text="一次", phones=phone))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: operator.post("/sends/new", **fields), range(8)))
    assert {(answer.status, answer.headers["Location"]) for answer in answers} == {
        (303, f"/sends/{fields['send_id']}?done=send-stored")
    }
    dispatch(admin, gateway, fields["send_id"])
    operator.post("/sends/new", **fields)
    dispatch(admin, gateway, fields["send_id"])
    assert Counter(each.phone for each in gateway.sent)[phone] == 1
    (noted,) = admin.rows("audit", target=fields["send_id"])
    assert (noted["action"], noted["actor"], noted["via"], noted["detail"]) == (
        "send.queued", "operator", "console", {"recipients": 1}
    )  # fmt: skip
    changed = operator.post("/sends/new", **{**fields, "text": "两次"})
    assert (changed.status, "sent already, with other words" in changed.words) == (422, True)


@pytest.mark.parametrize("age", [timedelta(hours=13), timedelta(hours=-1)])
def test_a_preview_is_shown_again_where_its_id_is_not_of_today(age: timedelta, admin: Admin, operator: Visitor) -> None:
    old = str(earliest_id(datetime.now(UTC) - age))
    for send_id in (old, "", "x", "8e03978e-40d5-43e8-bc93-6894a57f9324"):
        page = operator.post("/sends/new", text="旧的", phones="13900000001", send_id=send_id)
        assert (page.status, "This preview was too old" in page.words) == (422, True)
        assert kept(page)["send_id"] != send_id
    assert admin.rows("sends", text="旧的") == []


def test_a_list_is_uploaded_and_its_bad_lines_are_told(operator: Visitor) -> None:
    listed = "姓名,手机\n李,13900000011\n王,13900000012\n".encode("gb18030")
    page = operator.upload("/sends/new/preview", "list", "客户.csv", listed, text="你好", phones="13900000013")
    assert kept(page)["phones"].split("\n") == ["13900000013", "13900000011", "13900000012"], page.words
    for content, says in (
        (b"phone,name\n13900000001,Li\n,Wang\n", "line 3 has no phone"),
        (b"PK\x03\x04x", "no text"), (b"names of June\n", "first line"), (b"\xff\xff\xff", "neither UTF-8"),
        (b"phone\n" + b'"1\n' * 7, "2 lines more"), (b"13900000001,13900000002\n", "more than one phone"),
    ):  # fmt: skip
        wrong = operator.upload("/sends/new/preview", "list", "x.csv", content, text="你好", phones="13900000013")
        assert (wrong.status, says in wrong.words) == (422, True), wrong.words


def test_viewers_see_masked_phones_and_a_reveal_is_noted(
    admin: Admin, gateway: SimulatedGateway, operator: Visitor, log_in: LogIn
) -> None:
    first, second = (str(next(NUMBERS)) for _ in range(2))
    where = sent(operator, f"来电 {first}", phones=f"{first}\n{second}\n{STOPPED}")
    dispatch(admin, gateway, where)
    viewer = log_in(Role.VIEWER)
    for page in (viewer.get("/sends"), viewer.get(where), viewer.get(f"{where}?reveal=1"), operator.get(where)):
        assert page.status == 200
        assert not {first, second, STOPPED} & set(re.findall(r"1390\d{7}", page.text))
        assert "2 accepted" in page.words
        assert "1 blocked" in page.words
    assert "Write a text" not in viewer.get("/sends").words
    before = len(admin.rows("audit", action="sends.read"))
    assert first in operator.get(f"{where}?reveal=1&state=accepted").text
    operator.get(f"{where}?reveal=1")
    assert len(admin.rows("audit", action="sends.read")) == before + 1
    assert first not in admin.log


def test_recipients_are_walked_by_pages_whose_addresses_hold_no_phone(operator: Visitor) -> None:
    phones = [str(next(NUMBERS)) for _ in range(230)]
    where = sent(operator, phones="\n".join(phones))
    page = operator.get(address := f"{where}?reveal=1&state=queued")
    seen: list[str] = []
    steps: list[str] = []
    while address:
        steps.append(address)
        page = operator.get(address)
        seen += re.findall(r"<td[^>]*>\+86(\d{11})</td>", page.text)
        address = unescape("".join(re.findall(r'rel="next" href="([^"]+)"', page.text)))
    assert (seen, len(steps)) == (sorted(phones), 3)
    assert not re.search(r"139\d{8}", "".join(steps))
    (back,) = re.findall(r'rel="prev" href="([^"]+)"', page.text)
    assert re.findall(r"<td[^>]*>\+86(\d{11})</td>", operator.get(unescape(back)).text) == sorted(phones)[100:200]
    for wrong in ("older=x", "older=99999999999999", "newer=-1", "newer=0", "state=x", "older=%00", "older=999999999"):
        assert operator.get(f"{where}?{wrong}").status == 200


def test_a_send_waits_for_a_worker_and_is_cancelled_with_a_reason(admin: Admin, operator: Visitor) -> None:
    at = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    where = sent(operator, at=at, keeper="here")
    page = operator.get(where).words
    assert "kept here until five minutes before" in page
    assert "No worker sends" in page
    assert at.replace("T", " ") in page, "in the zone in which it was written"
    assert "Write something here" in operator.post(f"{where}/cancel", why=" ").words
    told = operator.follow(f"{where}/cancel", why="写错了").words
    assert "What was queued is cancelled" in told
    assert "1 cancelled" in told
    again = operator.post(f"{where}/cancel", why="写错了")
    assert (again.status, "Nothing of it is queued" in again.words) == (422, True)
    actions = [row["action"] for row in admin.rows("audit", target=where.rpartition("/")[2])]
    assert actions == ["send.queued", "send.cancelled"]


def test_the_time_is_of_whoever_writes_it(admin: Admin, operator: Visitor) -> None:
    operator.get("/account")
    operator.follow("/account/zone", zone="Europe/Berlin")
    try:
        where = sent(operator, at="2027-07-01T09:00" if datetime.now(UTC).year < 2027 else "", keeper="gateway")
        (row,) = [row for row in admin.rows("sends") if str(row["id"]) == where.rpartition("/")[2]]
        assert (row["at"], row["is_held"]) == (datetime(2027, 7, 1, 7, tzinfo=UTC), False)
    finally:
        operator.follow("/account/zone", zone="Asia/Shanghai")


def test_what_is_in_doubt_is_told_and_settled(admin: Admin, gateway: SimulatedGateway, operator: Visitor) -> None:
    first, second = (str(next(NUMBERS)) for _ in range(2))
    where = sent(operator, phones=f"{first}\n{second}")
    gateway.faults = [Fault(Kind.ERROR_500, pages=frozenset([Page.SEND]))]
    try:
        dispatch(admin, gateway, where)
    finally:
        gateway.faults = []
    assert "2 people are in doubt" in operator.get(where).words
    assert where in operator.get("/sends?in_doubt=on").text
    for fields, says in (
        ({"found": "x", "reason": "r"}, "Choose one"), ({"found": "sent", "reason": ""}, "Write something"),
        ({"found": "sent", "reason": "r", "only": "x"}, "no phone number"),
        ({"found": "sent", "reason": "r", "only": "13900000001"}, "Nobody of them"),
    ):  # fmt: skip
        wrong = operator.post(f"{where}/settle", **fields)
        assert (wrong.status, says in wrong.words) == (422, True), wrong.words
    assert "It is settled" in operator.follow(f"{where}/settle", found="sent", reason="收到", only=first).words
    told = operator.follow(f"{where}/settle", found="not-sent", reason="没收到").words
    assert "1 accepted 1 refused" in told
    assert "in doubt" not in told
    actions = [row["action"] for row in admin.rows("audit", target=where.rpartition("/")[2])]
    assert actions == ["send.queued", "send.settled", "send.settled"]


def test_sends_are_filtered_by_day(operator: Visitor) -> None:
    where = sent(operator)
    today = datetime.now(UTC)
    assert where in operator.get(f"/sends?since={today - timedelta(days=1):%Y-%m-%d}&until=").text
    assert "No send meets these filters" in operator.get(f"/sends?since={today + timedelta(days=3):%Y-%m-%d}").words
    assert "Write a day" in operator.get("/sends?since=x").words


def test_the_gateway_s_verdict_is_shown_and_its_absence_too(gateway: SimulatedGateway, operator: Visitor) -> None:
    gateway.faults = [Fault(Kind.ERROR_500, pages=frozenset([Page.CHECK]))]
    try:
        page = operator.post("/sends/new/preview", text="你好", phones="13900000001", check="on").words
    finally:
        gateway.faults = []
    assert "Whether the text is allowed is not known" in page
    forbidden = operator.post("/sends/new/preview", text="代开发票", phones="13900000001", check="on").words
    assert "The gateway forbids this text 6005: the text has forbidden words — 代开发票" in forbidden
    assert "Send to 1 person" in page


@pytest.mark.parametrize("junk", ["\x00", "\ud800", "x" * 10_000, "<script>", "%", "{{7*7}}", "-1", "\n"])
def test_junk_in_forms_gives_messages(junk: str, operator: Visitor) -> None:
    written = junk.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    where = sent(operator)
    for path, fields in {
        "/sends/new/preview": ("text", "phones", "at", "keeper", "sender", "long", "check"),
        "/sends/new": ("text", "phones", "at", "keeper", "sender", "send_id"),
        "/sends/new/edit": ("text", "phones", "at", "keeper", "sender"),
        f"{where}/settle": ("found", "reason", "only"),
        f"{where}/cancel": ("why",),
    }.items():
        for field in fields:
            usual = {"text": "你好", "phones": "13900000001", "found": "sent", "reason": "r"}
            answer = operator.post(path, **{**usual, field: written})
            assert answer.status in (200, 303, 422), (path, field, answer.words)
            assert "<script>" not in answer.text


def test_a_send_whose_storing_is_not_known_is_found_out_by_the_same_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = apart(data_dir=tmp_path, gateway_name="demo", gateway_password="demo123")
    store = Filled(settings.url).store
    client = create_admin_app(settings).test_client()
    person = somebody(store, Role.OPERATOR)
    client.set_cookie(SESSION, Sessions(store).begin(person, peer="127.0.0.1", agent="tests"))
    client.set_cookie("receiver_locale", "en")
    (word,) = set(re.findall(r'name="csrf" value="([^"]+)"', client.get("/sends/new").text))
    send_id = str(new_id())
    fields = {"csrf": word, "send_id": send_id, "text": "明天停水", "phones": "13900000001"}
    enqueue = Sending.enqueue

    def lost(self: Sending, *args: Any, **named: Any) -> Enqueued:
        enqueue(self, *args, **named)
        raise Unknown(named["send_id"])

    with monkeypatch.context() as patched:
        patched.setattr(Sending, "enqueue", lost)
        told = client.post("/sends/new", data=fields)
    assert (told.status_code, "It may be stored" in told.text, send_id in told.text) == (503, True, True)
    assert client.post("/sends/new", data=fields).headers["Location"] == f"/sends/{send_id}?done=send-stored"
    with store.reading() as transaction:
        assert [str(row["id"]) for row in sends.page(transaction, sends.Filter(), limit=9)] == [send_id]
    store.close()
