"""The register by the list over the API: exported whole, and lists checked before anybody is opted out by them."""

import csv
import gzip
import io
import json
from typing import Any

import openpyxl
import pytest

from receiver.access import Scope
from receiver.optout.verify import verify
from tests.admin.client import Answer, Api
from tests.admin.conftest import Admin

CSV, LINES = "text/csv", "application/x-ndjson"


def imported(api: Api, content: str | bytes, kind: str = CSV, **query: Any) -> Answer:
    body = content if isinstance(content, bytes) else content.encode()
    return api.request(
        "POST", "/optouts/import", body, query={"reason": "by letter", **query}, headers={"Content-Type": kind}
    )


def state(api: Api, *phones: str) -> list[bool]:
    return [api.get(f"/optouts/{phone}").ok()["opted_out"] for phone in phones]


def test_an_export_in_every_form_is_the_register(admin: Admin) -> None:
    admin.filled.reply(b"src=13944440001&dst=1069&msg=0000")
    api = admin.api(Scope.OPTOUTS_READ, Scope.OPTOUTS_WRITE)
    api.put("/optouts/13944440002", {"reason": "=1+1，信函"}).ok()
    listed = sorted(api.walk("/optouts"), key=lambda each: each["phone"])
    lines = api.get("/optouts/export")
    assert [json.loads(line) for line in lines.body.decode().splitlines()] == listed
    written = api.get("/optouts/export", format="csv").body
    rows = list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"), newline="")))
    assert [row["phone"] for row in rows] == [each["phone"] for each in listed]
    assert {"'=1+1，信函"} <= {row["reason"] for row in rows}
    answer = api.get("/optouts/export", format="xlsx")
    book = openpyxl.load_workbook(io.BytesIO(answer.body))
    assert book.sheetnames == ["optouts"]
    assert [row[0] for row in book.active.iter_rows(values_only=True)] == ["phone", *(row["phone"] for row in rows)]  # type: ignore[union-attr]
    assert answer.headers["Content-Disposition"].endswith('.xlsx"')
    packed = api.request("GET", "/optouts/export", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(packed.body) == api.get("/optouts/export").body
    noted = admin.rows("audit", action="optouts.exported")
    assert [row["detail"]["format"] for row in noted] == ["jsonl", "csv", "xlsx", "jsonl", "jsonl"]
    events = admin.rows("ledger", type="exported")
    assert [json.loads(event["detail"])["count"] if isinstance(event["detail"], str) else event["detail"]["count"]
            for event in events] == [len(listed)] * 5  # fmt: skip
    assert "13944440001" not in admin.log


def test_an_export_goes_past_its_parts(admin: Admin) -> None:
    api = admin.api(Scope.OPTOUTS_READ, Scope.OPTOUTS_WRITE)
    phones = [f"+861371{number:07}" for number in range(1001)]
    imported(api, "\n".join(phones)).ok()
    exported = [json.loads(line)["phone"] for line in api.get("/optouts/export").body.splitlines()]
    assert [phone for phone in exported if phone.startswith("+861371")] == phones
    assert exported == sorted(set(exported))


def test_a_list_is_imported_once_however_often_it_is_sent(admin: Admin) -> None:
    api = admin.api(Scope.OPTOUTS_WRITE, Scope.OPTOUTS_READ)
    api.put("/optouts/13944441001", {"reason": "before"}).ok()
    content = "phone,reason,since\n139-4444-1001,,\n13944441002,电话,2025-06-03\n+8613944441002,,\n\n13944441003,,\n"
    dry = imported(api, content, dry_run=True).ok()
    assert dry == {"dry_run": True, "rows": 4, "new": 2, "already": 2, "rejected": 0, "bad": []}
    assert state(api, "13944441001", "13944441002", "13944441003") == [True, False, False]
    assert imported(api, content, actor="li").ok() == {**dry, "dry_run": False}
    assert state(api, "13944441001", "13944441002", "13944441003") == [True, True, True]
    known = api.get("/optouts/13944441002").ok()
    assert (known["optout"]["reason"], known["optout"]["source"]) == ("电话", "import")
    assert known["optout"]["actor"].startswith("li via rcv_")
    [event] = known["events"]
    assert event["detail"]["since"] == "2025-06-02T16:00:00.000000Z"
    again = imported(api, content.encode("gb18030")).ok()
    assert (again["new"], again["already"]) == (0, 4)
    assert len(api.get("/optouts/13944441002").ok()["events"]) == 1
    noted = [row["detail"] for row in admin.rows("audit", action="optouts.imported") if row["detail"]["rows"] == 4]
    assert [sorted(detail) for detail in noted] == [["file_sha256", "rejected", "rows"]] * 2
    assert verify(admin.store).ok
    assert "1394444" not in admin.log


@pytest.mark.parametrize(
    ("kind", "content", "bad"),
    [
        (CSV, "phone\n13944442001\nnobody\n,\n13944442002,x\n", {3: "is no phone number", 5: "has 2 cells"}),
        (
            LINES,
            '{"phone": "13944442001", "else": [1]}\n\n{"phone": 13944442002}\n[]\n{"phone"\n{}\n'
            '{"phone": "1", "PHONE": "2"}\n{"phone": "13944442002", "since": "2999-01-01"}\n'
            '{"phone": "13944442002", "reason": "\\u0000"}\n{"phone": "\\ud800"}\n',
            {
                3: "phone is no text",
                4: "is no object",
                5: "is no JSON",
                6: "has no phone",
                7: "has phone twice",
                8: "lies in the future",
                9: "has a character",
                10: "has a character",
            },
        ),
    ],
    ids=["csv", "lines"],
)
def test_bad_lines_are_named_and_stop_the_others_unless_they_are_skipped(
    kind: str, content: str, bad: dict[int, str], admin: Admin
) -> None:
    api = admin.api(Scope.OPTOUTS_WRITE, Scope.OPTOUTS_READ)
    for phone in ("13944442001", "13944442002"):
        api.delete(f"/optouts/{phone}", reason="anew")
    problem = imported(api, content, kind).problem(422)
    assert problem["type"] == "/api/problems/refused"
    assert [error["field"] for error in problem["errors"]] == [f"line {number}" for number in bad]
    assert "skip_bad" in problem["detail"]
    assert state(api, "13944442001") == [False]
    dry = imported(api, content, kind, dry_run=True).ok()
    assert [each["line"] for each in dry["bad"]] == list(bad)
    for each in dry["bad"]:
        assert bad[each["line"]] in each["problem"]
    assert (dry["new"], dry["rejected"], state(api, "13944442001")) == (1, len(bad), [False])
    done = imported(api, content, kind, skip_bad=True).ok()
    assert done == {**dry, "dry_run": False}
    assert state(api, "13944442001", "13944442002") == [True, False]


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "is empty"), (b"name\nli", "no column phone"), (b"phone\n", "no row"), (b"PK\x03\x04", "is a workbook")],
)
def test_what_is_no_list_is_refused(content: bytes, why: str, admin: Admin) -> None:
    api = admin.api(Scope.OPTOUTS_WRITE)
    assert why in imported(api, content).problem(422)["detail"]
    assert why in imported(api, content, dry_run=True).problem(422)["detail"]


def test_it_must_say_why_and_in_a_form_that_is_known(admin: Admin) -> None:
    api = admin.api(Scope.OPTOUTS_WRITE)
    phones = b"phone\n13944443001\n"
    for query, field in (
        ({"reason": None}, "reason"),
        ({"actor": "subscriber"}, "actor"),
        ({"dry_run": "1"}, "dry_run"),
    ):
        assert [error["field"] for error in imported(api, phones, **query).problem(422)["errors"]] == [field]
    assert "reason" in imported(api, phones, reason=" ").problem(422)["detail"]
    assert "text/csv" in imported(api, phones, "application/json").problem(415)["detail"]
    imported(api, b"phone\n" + b"13944443001\n" * 90_000).problem(413)
    imported(admin.api(Scope.OPTOUTS_READ), phones).problem(403)
    admin.api(Scope.OPTOUTS_WRITE).get("/optouts/export").problem(403)
    assert admin.rows("optouts", phone="+8613944443001") == []


def test_another_column_may_have_the_phones(admin: Admin) -> None:
    api = admin.api(Scope.OPTOUTS_WRITE, Scope.OPTOUTS_READ)
    assert imported(api, "姓名;手机号\n李;13944444001\n", column="手机号").ok()["new"] == 1
    assert imported(api, '{"Mobile": "13944444002"}', LINES, column="mobile").ok()["new"] == 1
    assert state(api, "13944444001", "13944444002") == [True, True]
