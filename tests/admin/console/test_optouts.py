"""The register's pages: searched, added to, lifted, proven; and no phone in any address."""

import io
import json
import re
from urllib.parse import unquote

import pytest
from sqlalchemy import text

from receiver.access.roles import Role
from receiver.intake.spool import Limits, Spool
from receiver.optout.proof_pdf import attached_to_pdf
from receiver.optout.verify import verify
from receiver.store import optouts
from tests.admin.conftest import Admin
from tests.admin.console.conftest import LogIn
from tests.admin.console.visitor import Shown, Visitor
from tests.intake.replies import reply


def found(visitor: Visitor, phone: str) -> tuple[str, Shown]:
    """The address that a search leads to, and its page."""
    visitor.get("/optouts")
    answer = visitor.post("/optouts/search", phone=phone)
    assert answer.status == 303, answer.words
    return answer.headers["Location"], visitor.get(answer.headers["Location"])


def opted_out(admin: Admin) -> set[str]:
    with admin.store.reading() as transaction:
        return {row["phone"] for row in optouts.stream(transaction)}


def hidden(page: Shown, name: str) -> str:
    """What a field that nobody sees brings along."""
    (value,) = re.findall(rf'name="{name}" value="([^"]*)"', page.text)
    return str(value)


@pytest.mark.parametrize(
    "written", ["13911110001", "139-1111 0001", "+8613911110001", "００86 139 1111 0001", "\u202a13911110001\u202c"]
)
def test_whoever_said_stop_is_found_by_any_form_of_the_phone(written: str, admin: Admin, log_in: LogIn) -> None:
    if "+8613911110001" not in opted_out(admin):
        admin.filled.reply(b"src=13911110001&dst=1069&msg=0000")
    address, page = found(log_in(Role.VIEWER), written)
    assert "0001" not in address
    assert "+86139****0001" in page.words
    assert "13911110001" not in page.text
    assert "the subscriber" in page.words


def test_phones_are_shown_whole_to_who_may_and_asks_and_that_is_noted(admin: Admin, log_in: LogIn) -> None:
    admin.filled.reply(b"src=13911110002&dst=1069&msg=0000")
    address, _ = found(log_in(Role.VIEWER), "13911110002")
    for path in ("/optouts", address):
        assert "13911110002" not in log_in(Role.VIEWER).get(f"{path}?reveal=1").text
        assert "13911110002" not in log_in(Role.OPERATOR).get(path).text
        assert "+8613911110002" in log_in(Role.OPERATOR).get(f"{path}?reveal=1").words
    noted = [(row["actor"], row["via"], row["target"]) for row in admin.rows("audit", action="optouts.read")]
    assert noted == [("operator", "console", None), ("operator", "console", "+8613911110002")]
    title = re.search("<title>(.*?)</title>", log_in(Role.OPERATOR).get(f"{address}?reveal=1").text)
    assert title is not None
    assert title[1].startswith("+86139****0002")


def test_somebody_is_opted_out_lifted_after_confirmation_and_opted_out_again(admin: Admin, log_in: LogIn) -> None:
    li = log_in(Role.COMPLIANCE)
    li.get("/optouts/add")
    assert "Write something" in li.post("/optouts/add", phone="13911110003", reason="  ").words
    assert "This is no phone number" in li.post("/optouts/add", phone="12", reason="by letter").words
    page = li.follow("/optouts/add", phone="139 1111 0003", reason="by letter")
    assert "The phone is opted out" in page.words
    assert "+8613911110003" in opted_out(admin)
    assert "opted out already" in li.follow("/optouts/add", phone="13911110003", reason="again").words
    address, page = found(li, "13911110003")
    for wrong in ("", "13911110004", "0003", "x" * 5000):
        answer = li.post(f"{address}/lift", reason="asked for it", confirm=wrong)
        assert (answer.status, "not the phone of this subscriber" in answer.words) == (422, True)
    assert li.post(f"{address}/lift", reason="", confirm="13911110003").status == 422
    assert "+8613911110003" in opted_out(admin)
    page = li.follow(f"{address}/lift", reason="asked for it 13911110003", confirm="0086-13911110003")
    assert "The opt-out is lifted" in page.words
    assert "not opted out" in page.words
    assert "13911110003" not in page.text
    assert "+8613911110003" not in opted_out(admin)
    late = li.follow(f"{address}/lift", reason="asked for it", confirm="13911110003")
    assert "somebody has lifted it" in late.words
    noted = [(row["action"], row["actor"]) for row in admin.rows("audit", target="+8613911110003")]
    assert noted == [(f"optout.{done}", "compliance") for done in ("added", "added", "lifted")]
    events = admin.rows("ledger", phone="+8613911110003")
    assert [(each["type"], each["actor"]) for each in events] == [
        (kind, "compliance") for kind in ("opted_out", "repeated", "lifted")
    ]


def test_while_replies_wait_in_the_spool_no_phone_is_told_to_be_free(admin: Admin, log_in: LogIn) -> None:
    li = log_in(Role.COMPLIANCE)
    li.get("/optouts")
    li.follow("/optouts/add", phone="13911110007", reason="by letter")
    spool = Spool(admin.server.data_dir, Limits.of_megabytes(10, 0))
    spool.keep([reply("0000", src="+8613911110008")])
    spool.seal()
    try:
        li.get("/optouts")
        assert "Not to be sent to now" in li.post("/optouts/search", phone="13911110008").words
        assert "Not to be sent to now" not in li.follow("/optouts/search", phone="13911110007").words
    finally:
        for path in spool.waiting():
            path.unlink()
    li.get("/optouts")
    assert "Not to be sent to now" not in li.post("/optouts/search", phone="13911110008").words


def test_who_never_said_stop_is_told_so_and_may_be_opted_out_from_there(admin: Admin, log_in: LogIn) -> None:
    li = log_in(Role.COMPLIANCE)
    li.get("/optouts")
    page = li.post("/optouts/search", phone="139 1111 0005")
    assert (page.status, "never said stop" in page.words) == (200, True)
    li.follow("/optouts/add", phone=hidden(page, "phone"), reason="by letter")
    assert "+8613911110005" in opted_out(admin)
    viewer = log_in(Role.VIEWER)
    viewer.get("/optouts")
    assert "Opt this phone out" not in viewer.post("/optouts/search", phone="13911110006").words
    for wrong in ("12", "", "x" * 1000):
        assert viewer.post("/optouts/search", phone=wrong).status == 422
    assert viewer.get("/optouts/999999").status == 404
    assert viewer.get(f"/optouts/{2**70}").status == 404


def test_the_list_is_walked_by_pages_that_hold_no_phone(admin: Admin, log_in: LogIn) -> None:
    for number in range(60):
        admin.filled.reply(b"src=139122200%02d&dst=1069&msg=0000" % number)
    visitor = log_in(Role.OPERATOR)
    page = visitor.get("/optouts?source=sms&reveal=1")
    first = re.findall(r"\+8613912220\d\d\d", page.text)
    (older,) = re.findall(r'rel="next" href="([^"]+)"', page.text)
    assert "139" not in unquote(older)
    page = visitor.get(older.replace("&amp;", "&"))
    second = re.findall(r"\+8613912220\d\d\d", page.text)
    assert first + second == [f"+86139122200{number:02}" for number in range(59, -1, -1)]
    (newer,) = re.findall(r'rel="prev" href="([^"]+)"', page.text)
    assert re.findall(r"\+8613912220\d\d\d", visitor.get(newer.replace("&amp;", "&")).text) == first
    for wrong in ("older=x", f"older={2**70}", "newer=-1", "source=none", "older=999999", "reveal=%00"):
        assert visitor.get(f"/optouts?{wrong}").status == 200
    addresses = re.findall(r'(?:href|action)="([^"]+)"', page.text)
    assert not [each for each in addresses if re.search("139122", unquote(each))]


def test_a_proof_is_a_page_and_a_pdf_and_both_are_noted(admin: Admin, log_in: LogIn) -> None:
    admin.filled.reply(b"src=13911110040&dst=1069&msg=0000")
    li = log_in(Role.COMPLIANCE)
    address, _ = found(li, "13911110040")
    page = li.get(f"{address}/proof")
    assert "This proof holds" in page.words
    assert "+8613911110040" in page.words
    li.cookies["receiver_locale"] = "zh"
    assert "退订生效" in li.get(f"{address}/proof").words
    pdf = li.download(f"{address}/proof/pdf")
    attached = attached_to_pdf(pdf)
    assert attached is not None
    assert json.load(io.StringIO(attached))["phone"] == "+8613911110040"
    assert b"receiver-optout-proof" in li.download(f"{address}/proof/html")
    assert li.get(f"{address}/proof/exe").status == 404
    noted = [row["detail"]["format"] for row in admin.rows("audit", action="proof.made", target="+8613911110040")]
    assert noted == ["page", "page", "pdf", "html"]
    assert "13911110040" not in admin.log


def test_the_ledger_is_verified_with_its_head_and_a_tampered_one_is_found(fresh_admin: Admin) -> None:
    from tests.admin.console.visitor import somebody, visiting

    fresh_admin.filled.reply(b"src=13911110050&dst=1069&msg=0000")
    li = visiting(fresh_admin.port, fresh_admin.store, somebody(fresh_admin.store, Role.COMPLIANCE))
    head = verify(fresh_admin.store).head
    assert head in li.get("/optouts/ledger").words
    right = li.post("/optouts/ledger", head=head.upper()).words
    assert "The ledger is what it was" in right
    assert head in right
    assert "on its chain" in right
    assert "on its chain" in li.post("/optouts/ledger", head=f"1:{head}").words
    assert "the pinned head is event 1" in li.post("/optouts/ledger", head=f"2:{head}").words
    assert "its tail was cut off" in li.post("/optouts/ledger", head="0" * 63 + "1").words
    assert li.post("/optouts/ledger", head="xyz").status == 422
    with fresh_admin.store.writing() as transaction:
        transaction.execute(text("UPDATE optouts SET reason = 'other'"))
    assert "+86139****0050 is opted out with another" in li.post("/optouts/ledger").words
    with fresh_admin.store.writing() as transaction:
        transaction.execute(text("DROP TRIGGER ledger_no_update"))
        transaction.execute(text("UPDATE ledger SET actor = 'somebody'"))
    wrong = li.post("/optouts/ledger").words
    assert "Event 1 is wrong" in wrong
    assert "was edited" in wrong
    li.cookies["receiver_locale"] = "zh"
    assert "哈希与内容不符" in li.post("/optouts/ledger").words


def test_nobody_logs_in_by_a_name_that_the_ledger_has_for_others(admin: Admin, log_in: LogIn) -> None:
    boss = log_in(Role.ADMIN)
    boss.get("/people")
    for name in ("Subscriber", "system"):
        assert "choose another" in boss.post("/people", name=name, role="compliance").words


@pytest.mark.parametrize("junk", ["\x00", "x" * 10_000, "'; drop table optouts; --", "<script>", "%(name)s", "{{7*7}}"])
def test_junk_in_the_registers_forms_gives_messages(junk: str, admin: Admin, log_in: LogIn) -> None:
    visitor = log_in(Role.ADMIN)
    visitor.get("/optouts")
    for path, fields in {
        "/optouts/search": ("phone",),
        "/optouts/add": ("phone", "reason"),
        "/optouts/1/lift": ("reason", "confirm"),
        "/optouts/ledger": ("head",),
    }.items():
        answer = visitor.post(path, **dict.fromkeys(fields, junk))
        assert answer.status in (200, 422), path
        assert "<script>" not in answer.text
