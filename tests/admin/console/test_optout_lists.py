"""Lists for the register: looked at, then applied, or told what is wrong; and the register as a file."""

import json
from base64 import b64encode

import pytest

from receiver.access.roles import Role
from tests.admin.conftest import Admin
from tests.admin.console.conftest import LogIn
from tests.admin.console.test_optouts import hidden, opted_out


def test_a_list_is_looked_at_before_it_is_applied(admin: Admin, log_in: LogIn) -> None:
    admin.filled.reply(b"src=13911110010&dst=1069&msg=0000")
    li = log_in(Role.COMPLIANCE)
    li.get("/optouts/import")
    listed = "phone,reason\n13911110010,\n139-1111-0011,电话\nnobody,\n13911110012,\n"
    shown = li.post("/optouts/import", pasted=listed)
    assert "Lines 4" in shown.words
    assert "Would be opted out 2" in shown.words
    assert "4 is no phone number" in shown.words
    assert "+8613911110011" not in opted_out(admin)
    carried = {name: hidden(shown, name) for name in ("packed", "name", "column")}
    answer = li.post("/optouts/import/apply", reason="hotline, June", **carried)
    assert (answer.status, "bad lines may be left out" in answer.words) == (422, True)
    assert "+8613911110011" not in opted_out(admin)
    done = li.post("/optouts/import/apply", reason="hotline, June", skip="yes", **carried)
    assert "Opted out 2" in done.words
    assert {"+8613911110011", "+8613911110012"} <= opted_out(admin)
    (noted,) = admin.rows("audit", action="optouts.imported")
    assert (noted["detail"]["rows"], noted["detail"]["rejected"], noted["actor"]) == (4, 1, "compliance")
    (event,) = admin.rows("ledger", phone="+8613911110011")
    assert (event["actor"], "电话" in json.dumps(event["detail"], ensure_ascii=False)) == ("compliance", True)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Choose a file, or paste phones"),
        ({"pasted": "name,age\nli,3\n"}, "has no column phone"),
        ({"pasted": "PK\x03\x04"}, "is a workbook"),
        ({"pasted": "\x00\x00"}, "is no text"),
        ({"pasted": "13911110020", "column": "x" * 100}, "Write at most 64 characters"),
        ({"pasted": "\ufffd\ufffd12\n" * 3}, "No line can be imported"),
    ],
)
def test_a_list_that_can_not_be_read_is_told(fields: dict[str, str], told: str, admin: Admin, log_in: LogIn) -> None:
    li = log_in(Role.COMPLIANCE)
    li.get("/optouts/import")
    assert told in li.post("/optouts/import", **fields).words
    for junk in ("", "%%%", b64encode(b"junk").decode(), "A" * 460_000):
        answer = li.post("/optouts/import/apply", packed=junk, name="a", column="phone", reason="by letter")
        assert (answer.status, "give it again" in answer.words) == (422, True)


def test_problems_of_lists_are_told_in_chinese_too(admin: Admin, log_in: LogIn) -> None:
    li = log_in(Role.COMPLIANCE)
    li.cookies["receiver_locale"] = "zh"
    li.get("/optouts/import")
    shown = li.post("/optouts/import", pasted="phone,since\nnobody,\n13911110021,x\n13911110021,,,,,5\n")
    for said in ("不是手机号码", "since 不是日期或时间", "有 6 个单元格，而表头有 2 个"):
        assert said in shown.words
    assert "没有 phone 列：首行是表头" in li.post("/optouts/import", pasted="a,b\nc,d\n").words


def test_the_register_is_exported_and_that_is_kept(admin: Admin, log_in: LogIn) -> None:
    admin.filled.reply(b"src=13911110030&dst=1069&msg=0000")
    visitor = log_in(Role.OPERATOR)
    visitor.get("/optouts")
    answer = visitor.post("/optouts/export", format="csv")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="optouts-')
    assert "13911110030" in answer.text
    assert visitor.post("/optouts/export", format="none").status == 200
    noted = admin.rows("audit", action="optouts.exported")
    assert [(row["actor"], row["via"], row["detail"]["format"]) for row in noted] == [
        ("operator", "console", "csv")
    ] * 2
    assert [event["actor"] for event in admin.rows("ledger", type="exported")] == ["operator"] * 2


def test_a_file_is_taken_as_spreadsheets_write_it(admin: Admin, log_in: LogIn) -> None:
    li = log_in(Role.COMPLIANCE)
    li.get("/optouts/import")
    listed = "姓名;手机号\n李;13911110015\n王;13911110016\n".encode("gb18030")
    shown = li.upload("/optouts/import", "list", "名单.csv", listed, column="手机号", pasted="")
    assert "Would be opted out 2" in shown.words
    assert hidden(shown, "name") == "名单.csv"
    carried = {name: hidden(shown, name) for name in ("packed", "name", "column")}
    assert "Opted out 2" in li.post("/optouts/import/apply", reason="letters", **carried).words
    assert {"+8613911110015", "+8613911110016"} <= opted_out(admin)
    too_large = li.upload("/optouts/import", "list", "a.csv", b"x" * 1_000_001, column="phone", pasted="")
    assert (too_large.status, "too large" in too_large.words) == (413, True)


@pytest.mark.parametrize("junk", ["\x00", "x" * 10_000, "'; drop table optouts; --", "<script>", "%(name)s", "{{7*7}}"])
def test_junk_in_the_forms_of_lists_gives_messages(junk: str, admin: Admin, log_in: LogIn) -> None:
    visitor = log_in(Role.ADMIN)
    visitor.get("/optouts/import")
    for path, fields in {
        "/optouts/import": ("pasted", "column"),
        "/optouts/import/apply": ("packed", "name", "column", "reason", "skip"),
    }.items():
        answer = visitor.post(path, **dict.fromkeys(fields, junk))
        assert answer.status == 422, path
        assert "<script>" not in answer.text
