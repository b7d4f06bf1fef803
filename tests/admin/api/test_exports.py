"""Exports over HTTP read back equal, end visibly where they break off, and take no more memory for more rows."""

import csv
import gzip
import http.client
import io
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import openpyxl
import psutil
import pytest
from openpyxl.utils.escape import unescape

from receiver.access import Scope
from tests.admin.conftest import Admin
from tests.intake.replies import reply

NASTY = [
    "=1+1", "+86 1", "-1", "@SUM(A1)", "\ttab", "'quoted'", "＝全角", 'a "b", c', "line\nend", "_x0041_", "中文，逗号",
    "😀 👨‍👩‍👧", "0000", " ", "ß", "=cmd|'/c calc'!A0", "#N/A", "1e400", "TRUE", "00123",
]  # fmt: skip


@pytest.fixture(scope="module")
def texts(admin: Admin) -> list[str]:
    for text in NASTY:
        admin.store.record([reply(text, dst="10690777")], [], timedelta(0))
    return NASTY


def test_csv_and_json_lines_read_back_equal(admin: Admin, texts: list[str]) -> None:
    api = admin.api(Scope.MESSAGES_READ)
    listed = api.walk("/messages", dst="10690777")
    lines = api.get("/messages/export", dst="10690777")
    assert [json.loads(line) for line in lines.body.decode().splitlines()] == listed
    assert lines.headers.get_content_type() == "application/x-ndjson"
    exported = api.get("/messages/export", dst="10690777", format="csv")
    assert exported.body.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(exported.body.decode("utf-8-sig"), newline="")))
    assert [row["id"] for row in rows] == [each["id"] for each in listed]
    for row, each in zip(rows, listed, strict=True):
        assert not row["text"].startswith(("=", "+", "-", "@", "\t", "＝"))
        assert row["text"].removeprefix("'") == each["text"]
        assert row["src"] == each["src"]
    assert sorted(each["text"] for each in listed) == sorted(texts)
    assert exported.headers["Content-Disposition"].endswith('.csv"')


def test_a_workbook_reads_back_equal_and_has_no_formula(admin: Admin, texts: list[str]) -> None:
    api = admin.api(Scope.MESSAGES_READ)
    listed = api.walk("/messages", dst="10690777")
    book = openpyxl.load_workbook(io.BytesIO(api.get("/messages/export", dst="10690777", format="xlsx").body))
    heading, *rows = book.active.iter_rows(values_only=True)  # type: ignore[union-attr]
    column = list(heading).index("text")
    assert [unescape(str(row[column])) for row in rows] == [each["text"] for each in listed]
    assert {cell.data_type for line in book.active for cell in line if cell.value is not None} == {"s"}  # type: ignore[union-attr]


def test_it_is_compressed_where_that_is_accepted(admin: Admin, texts: list[str]) -> None:
    api = admin.api(Scope.MESSAGES_READ)
    answer = api.request(
        "GET", "/messages/export", query={"dst": "10690777"}, headers={"Accept-Encoding": "gzip, deflate"}
    )
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body) == api.get("/messages/export", dst="10690777").body


def test_nothing_that_matches_is_an_empty_file(admin: Admin) -> None:
    api = admin.api(Scope.MESSAGES_READ)
    assert api.get("/messages/export", dst="nowhere").body == b""
    assert (
        api.get("/messages/export", dst="nowhere", format="csv").body.decode("utf-8-sig").startswith("id,received_at")
    )
    api.get("/messages/export", format="pdf").problem(422)


def test_who_exports_is_known_and_what_they_looked_for_is_not_told_whole(admin: Admin, texts: list[str]) -> None:
    admin.api(Scope.MESSAGES_READ).get("/messages/export", src="+8613900005001", text="秘密", format="csv")
    noted = admin.rows("audit", action="messages.exported")[-1]
    assert noted["detail"]["format"] == "csv"
    written = json.dumps(noted["detail"], ensure_ascii=False)
    assert "13900005001" not in written
    assert "秘密" not in written
    assert "13900005001" not in admin.log


def test_an_export_that_breaks_off_is_no_whole_file(fresh_admin: Admin) -> None:
    _fill(fresh_admin, 8_000)
    api = fresh_admin.api(Scope.MESSAGES_READ)
    with _reading(api.port, api.token) as response:
        assert response.read(1)
        # What is read next is not there any more.
        with fresh_admin.store.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE messages RENAME TO gone")
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
    assert "broken off" in fresh_admin.log
    assert "gone" not in fresh_admin.log


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_many_rows_take_little_more_memory_than_few(fresh_admin: Admin, form: str) -> None:
    _fill(fresh_admin, 500)
    api = fresh_admin.api(Scope.MESSAGES_READ)

    def peak() -> int:
        length = 0
        most = 0
        processes = [psutil.Process(pid) for pid in fresh_admin.server.workers()]
        with api.open("GET", "/messages/export", query={"format": form}) as response:
            while piece := response.read(200_000):
                length += len(piece)
                most = max(most, *(process.memory_info().rss for process in processes))
        assert length
        return most

    peak()
    few = peak()
    _fill(fresh_admin, 30_000)
    assert peak() < few + 40_000_000


def _fill(admin: Admin, count: int) -> None:
    for start in range(0, count, 500):
        admin.store.record([reply(f"{start + each} " + "长" * 100) for each in range(500)], [], timedelta(0))


@contextmanager
def _reading(port: int, token: str | None) -> Iterator[Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    # Ours takes little and the kernel's other end some megabytes: before it has sent all, the server has to wait.
    connection.sock = socket.socket()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.sock.settimeout(30)
    connection.sock.connect(("127.0.0.1", port))
    connection.request("GET", "/api/v1/messages/export", headers={"Authorization": f"Bearer {token}"})
    try:
        yield connection.getresponse()
    finally:
        connection.close()
