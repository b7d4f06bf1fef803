"""``receiver messages list`` and ``show``."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from receiver.store import tables
from receiver.store.tables import messages
from receiver.vocabulary import Charset, Delivery, Origin, Reading, Reply, new_id
from receiver.vocabulary.parse import parse
from tests.cli.conftest import WINDOW, Filled, Run, on_terminal
from tests.intake.replies import rows

CONTRACT = [
    "id", "received_at", "origin", "kind", "src", "src_wire", "dst", "text", "charset", "charset_certain",
    "duplicate_of", "gateway_id", "sent_at", "service",
]  # fmt: skip


def test_a_list_in_a_pipe_is_lines_of_json_with_the_fields_of_the_api(filled: Filled, run: Run) -> None:
    moment = datetime(2025, 6, 3, 9, 12, 5, 250_000, tzinfo=UTC)
    reply = filled.reply(b"src=13912345678&dst=10690000&msg=%CD%CB%B6%A9", at=moment)
    [row] = run("messages", "list").rows
    assert list(row) == CONTRACT
    assert row == {
        "id": str(reply),
        "received_at": "2025-06-03T09:12:05.250000Z",
        "origin": "push",
        "kind": "reply",
        "src": "+86139****5678",
        "src_wire": "139****5678",
        "dst": "10690000",
        "text": "退订",
        "charset": "gb18030",
        "charset_certain": True,
        "duplicate_of": None,
        "gateway_id": None,
        "sent_at": None,
        "service": None,
    }


@pytest.mark.parametrize("wire", ["13912345678", "%2B8613912345678", "1+3+9+1+2+3+4+5+6+7+8", "139-1234-5678"])
def test_a_phone_is_whole_with_reveal_alone(wire: str, sqlite: Filled, run: Run) -> None:
    sqlite.reply(f"src={wire}&dst=1069&msg=hi".encode())
    [hidden] = run("messages", "list").rows
    [shown] = run("messages", "list", "--reveal").rows
    assert "1234" not in hidden["src"] + hidden["src_wire"]
    assert hidden["src_wire"].endswith("****5678")
    assert shown["src"] == "+8613912345678"
    assert "".join(filter(str.isdigit, shown["src_wire"])).endswith("13912345678")


FILTERS = [
    (["--src", "+86 139-0000-0001"], "A"),
    (["--src", "008613900000001"], "A"),
    (["--src", "10086X"], "F"),
    (["--src", "0000001"], ""),
    (["--dst", "10690001"], "B"),
    (["--dst", "1069"], "ACDEF"),
    (["--text", "100%"], "C"),
    (["--text", "订"], "D"),
    (["--text", "HELLO"], "A"),
    (["--text", "_"], ""),
    (["--kind", "unsubscribe"], "E"),
    (["--origin", "poll"], "B"),
    (["--since", "2025-06-02"], "CDEF"),
    (["--until", "2025-06-02"], "AB"),
    (["--since", "2025-06-02T00:00:00+08:00", "--until", "2025-06-02T00:00:01+08:00"], "C"),
    (["--since", "2025-06-01T16:00:00Z"], "CDEF"),
    (["--duplicates"], "D"),
    (["--no-duplicates"], "ABCEF"),
    (["--text", "o", "--dst", "10690001"], "B"),
    ([], "ABCDEF"),
]


@pytest.fixture
def six(filled: Filled) -> dict[str, str]:
    """Six replies around midnight of 2 June 2025 in China, by letters."""

    def at(day: int, hour: int) -> datetime:
        return datetime(2025, 6, day, hour, tzinfo=UTC)

    # Ids are of the time when something came, which for these is long ago.
    names = {
        "A": filled.reply(b"src=13900000001&dst=1069&msg=hello", at=at(1, 1)),
        "B": filled.reply(b"src=13900000002&dst=10690001&msg=other", at=at(1, 2), origin=Origin.POLL),
        "C": filled.reply(b"src=13900000003&dst=1069&msg=100%", at=at(1, 16)),
        "D": filled.reply("src=13900000003&dst=1069&msg=退订".encode(), at=at(1, 17)),
        "E": filled.reply(b"src=13900000004&dst=1069&msg=0000", at=at(1, 18)),
        "F": filled.reply(b"src=10086X&dst=1069&msg=news", at=at(1, 19)),
    }
    _set_duplicate(filled, names["D"], names["C"])
    return {str(message_id): name for name, message_id in names.items()}


def _set_duplicate(filled: Filled, message_id: UUID, earlier: UUID) -> None:
    with filled.store.writing() as connection:
        connection.execute(messages.update().where(messages.c.id == message_id).values(duplicate_of=earlier))


@pytest.mark.parametrize("command", ["list", "export"])
def test_filters_choose(command: str, six: dict[str, str], run: Run) -> None:
    for arguments, expected in FILTERS:
        found = [six[row["id"]] for row in run("messages", command, *arguments).rows]
        assert "".join(found) == expected[::-1], arguments


def test_a_time_without_zone_is_chinas(six: dict[str, str], run: Run) -> None:
    naive = run("messages", "list", "--since", "2025-06-02T01:00").rows
    assert naive == run("messages", "list", "--since", "2025-06-01T17:00Z").rows
    assert [six[row["id"]] for row in naive] == ["F", "E", "D"]


def test_pages_neither_skip_nor_repeat(filled: Filled, run: Run) -> None:
    replies = [str(filled.reply(b"src=13900000001&dst=1069&msg=%d" % number)) for number in range(7)]
    walked: list[str] = []
    after: list[str] = []
    while rows := run("messages", "list", "--limit", 3, *after).rows:
        walked += [row["id"] for row in rows]
        after = ["--after", walked[-1]]
        filled.reply(b"src=13900000001&dst=1069&msg=meanwhile")
    assert walked == replies[::-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--limit", "501"],
        ["--limit", "0"],
        ["--since", "yesterday"],
        ["--since", "0001-01-01"],
        ["--kind", "love letter"],
        ["--after", "12"],
        ["--format", "xml"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2_and_touches_no_output(arguments: list[str], sqlite: Filled, run: Run) -> None:
    ran = run("messages", "list", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert arguments[0] in ran.err


def test_show_tells_all_and_how_the_charset_was_decided(filled: Filled, run: Run) -> None:
    reply = filled.reply(b"src=13912345678&dst=10690000&msg=%D0%BB%D0%BB\xfa+x")
    doubtful = filled.reply(b"src=13912345678&dst=10690000&msg=%D0%BB%D0%BB")
    [row] = run("messages", "show", doubtful, "--reveal").rows
    assert list(row)[: len(CONTRACT)] == CONTRACT
    assert row["src"] == "+8613912345678"
    assert row["peer"] == "203.81.21.34"
    assert row["raw"] == "%D0%BB%D0%BB"
    assert row["raw_hex"] == "25 44 30 25 42 42 25 44 30 25 42 42"
    assert (row["as_utf_8"], row["as_gb18030"]) == ("лл", "谢谢")
    assert row["charset_decision"] == "valid in both charsets; gb18030 was taken as the likelier, in doubt"

    [raw] = run("messages", "show", reply).rows
    assert raw["raw"] == r"%D0%BB%D0%BB\xfa+x"
    assert raw["src"] == "+86139****5678"


DECISIONS = [
    (b"hello", "ASCII alone, which reads the same in every charset"),
    ("退订".encode("gb18030"), "valid in gb18030 alone"),
    ("中".encode(), "valid in utf-8 alone"),
    (b"\xff\xff", "valid in neither charset: what could not be read is U+FFFD"),
]


@pytest.mark.parametrize(("raw", "why"), DECISIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_the_decision_is_told_in_words(raw: bytes, why: str, sqlite: Filled, run: Run) -> None:
    reply = sqlite.reply(b"src=13912345678&dst=1069&msg=" + raw)
    assert run("messages", "show", reply).rows[0]["charset_decision"] == why


def test_a_charset_fixed_against_the_bytes_is_told(sqlite: Filled, run: Run) -> None:
    said = parse(b"src=13912345678&dst=1069&msg=%CD%CB%B6%A9", Reading(Charset.UTF_8))
    assert isinstance(said, Delivery)
    reply = Reply(new_id(), datetime.now(UTC), Origin.PUSH, None, said)
    sqlite.store.record([reply], [], WINDOW)
    [row] = run("messages", "show", reply.id).rows
    assert row["charset_decision"] == "valid in gb18030 alone, but RECEIVER_CHARSET was utf-8 when it came"
    assert row["as_gb18030"] == "退订"


def test_what_is_not_there_is_status_1(filled: Filled, run: Run) -> None:
    ran = run("messages", "show", new_id())
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("Error: no message has the id")


def test_a_terminal_gets_a_table_in_chinas_time(sqlite: Filled) -> None:
    sqlite.reply("src=13912345678&dst=1069&msg=你好".encode(), at=datetime(2025, 6, 3, 17, 12, 5, tzinfo=UTC))
    said = on_terminal(["messages", "list"]).out
    assert "received (UTC+8)" in said
    assert "2025-06-04 01:12:05" in said
    assert "你好" in said
    assert "\x1b[1m" in said
    assert "+86139****5678" in said


def test_a_narrow_terminal_shows_ids_whole(sqlite: Filled) -> None:
    reply = sqlite.reply(b"src=13912345678&dst=10690000&msg=0000")
    said = on_terminal(["messages", "list"], columns=80).out
    assert str(reply) in said
    assert "unsubscribe" in said


def test_a_terminal_is_told_how_to_go_on(sqlite: Filled) -> None:
    replies = [sqlite.reply(b"src=13912345678&dst=1069&msg=%d" % number) for number in range(3)]
    assert f"--after {replies[1]}" in on_terminal(["messages", "list", "--limit", 2]).out
    assert "--after" not in on_terminal(["messages", "list", "--limit", 3]).out


HOSTILE = "\u009b2J\u202eevil\u2066\u200f\u2028end"


@pytest.mark.parametrize("arguments", [["list"], ["list", "--format", "json"], ["list", "--format", "csv"], ["export"]])
def test_a_text_cant_command_the_terminal(arguments: list[str], sqlite: Filled) -> None:
    sqlite.reply(f"src=13912345678&dst=1069&msg={HOSTILE}".encode() + b"%1B]0;title%07%0Dback")
    said = on_terminal(["messages", *arguments]).out
    assert not set("\u009b\u202e\u2066\u200f\u2028\x07") & set(said)
    assert "\x1b]" not in said
    assert "\r" not in said.removeprefix("\r1 exported")
    assert r"\u009b2J\u202eevil" in said


def test_json_escapes_what_is_hostile_and_loses_nothing(sqlite: Filled, run: Run) -> None:
    sqlite.reply(f"src=13912345678&dst=1069&msg={HOSTILE}".encode())
    ran = run("messages", "list")
    assert ran.rows[0]["text"] == HOSTILE
    assert r"\u009b2J\u202eevil" in ran.out


def test_who_exports_or_reveals_is_in_the_audit(filled: Filled, run: Run) -> None:
    filled.reply(b"src=13900000001&dst=1069&msg=hi")
    assert run("messages", "list").status == 0
    assert rows(filled.store, tables.audit) == []
    [shown] = run("messages", "list", "--reveal").rows
    run("messages", "show", shown["id"], "--reveal")
    run("messages", "export", "--format", "csv")
    noted = rows(filled.store, tables.audit)
    # What was shown, once for the hour; an export each time.
    assert [(row.action, row.via) for row in noted] == [("messages.read", "cli"), ("messages.exported", "cli")]
    assert noted[1].detail == {"format": "csv"}
    assert "1390000" not in str(noted)


@pytest.mark.parametrize(
    "command",
    [("messages", "list"), ("optouts", "list"), ("quarantine", "list"), ("gateway", "sends", "list"), ("stats",)],
    ids=" ".join,
)
def test_a_period_that_ends_before_it_begins_is_wrong_usage(command: tuple[str, ...], sqlite: Filled, run: Run) -> None:
    ran = run(*command, "--since", "2025-06-04", "--until", "2025-06-03")
    assert (ran.status, ran.out, "--until: it is before --since" in ran.err) == (2, "", True)
    assert run(*command, "--since", "2025-06-03", "--until", "2025-06-04").status == 0
