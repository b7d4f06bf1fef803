"""``receiver gateway check``, ``balance`` and ``password``, against a gateway that answers what a test says."""

import contextlib
import os
import pty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run, on_terminal
from tests.gateway.client.wire import Answering, Behaviour, Reset, Silence, http
from tests.processes import Process

Gateway = Callable[..., Answering]
ALLOWED, FORBIDDEN = http(b"errid=0&err="), http(b"errid=6005&err=\xc3\xdc\xc2\xeb")
BALANCE = http(b"id=9586&err=&errid=0&short=\xc4\xe3\xba\xc3")
CHANGED = http(b"errid=0&err=")
WRONG_PASSWORD = http(b"id=-9999&err=\xc3\xdc\xc2\xeb\xb4\xed\xce\xf3&errid=6003")
OLD, NEW = "old-pass", "new-pass"
COMMANDS = [("balance",), ("check", "Hello"), ("password", "--stdin")]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A gateway that behaves so, which the settings name."""
    with contextlib.ExitStack() as servers:

        def gateway(*behaviours: Behaviour) -> Answering:
            server = servers.enter_context(Answering(*behaviours))
            monkeypatch.setenv("RECEIVER_GATEWAY_URL", server.url)
            monkeypatch.setenv("RECEIVER_GATEWAY_NAME", "shop")
            monkeypatch.setenv("RECEIVER_GATEWAY_PASSWORD", OLD)
            return server

        yield gateway


def test_a_text_that_is_allowed_is_status_0(gateway: Gateway, run: Run) -> None:
    server = gateway(ALLOWED)
    ran = run("gateway", "check", "你好")
    assert (ran.status, ran.err) == (0, "")
    assert ran.rows == [{"allowed": True, "code": 0, "reason": "", "meaning": None, "meaning_zh": None}]
    assert server.asked[0].parameters["content"] == b"\xc4\xe3\xba\xc3"


def test_a_text_that_is_forbidden_is_status_1_and_says_why(gateway: Gateway, run: Run) -> None:
    gateway(FORBIDDEN)
    ran = run("gateway", "check", "Hello")
    assert (ran.status, ran.err) == (1, "")
    assert ran.rows == [
        {
            "allowed": False,
            "code": 6005,
            "reason": "密码",
            "meaning": "the text has forbidden words",
            "meaning_zh": "内容含有禁用词语",
        }
    ]
    assert run("gateway", "check", "Hello", "--format", "csv").out.splitlines()[1].startswith("false,6005,密码,")


def test_a_text_comes_from_standard_input_without_its_last_line_end(gateway: Gateway, run: Run) -> None:
    server = gateway(ALLOWED)
    assert run("gateway", "check", "-", stdin="a\nb\n").status == 0
    assert server.asked[0].parameters["content"] == b"a\nb"


@pytest.mark.parametrize("text", ["", "a" * 541, "a\x07", "a\udcff"])
def test_a_text_that_can_not_be_asked_about_is_wrong_usage(text: str, gateway: Gateway, run: Run) -> None:
    server = gateway(ALLOWED)
    ran = run("gateway", "check", text)
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert server.asked == []


def test_the_balance_is_shown_as_it_came(gateway: Gateway, run: Run) -> None:
    gateway(BALANCE)
    ran = run("gateway", "balance")
    assert (ran.status, ran.err, ran.rows) == (0, "", [{"amount": 9586, "short_name": "你好"}])
    shown = on_terminal(["gateway", "balance"])
    assert "9586" in shown.out
    assert "你好" in shown.out


def test_a_refusal_is_status_1_with_its_meaning_in_both_languages(gateway: Gateway, run: Run) -> None:
    gateway(WRONG_PASSWORD)
    for command in COMMANDS:
        ran = run("gateway", *command, stdin=f"{NEW}\n{NEW}\n")
        assert (ran.status, ran.out, len(ran.err.splitlines())) == (1, "", 1)
        assert "6003 wrong password (密码错误)" in ran.err
        assert "RECEIVER_GATEWAY_PASSWORD" in ran.err
        assert "It says: 密码错误" in ran.err


def test_what_the_gateway_says_can_not_move_the_cursor(gateway: Gateway, run: Run) -> None:
    gateway(http(b"id=-9999&err=a\r\n\x1b[2Jb\xe2\x80\xae&errid=7777"))
    ran = run("gateway", "balance")
    assert (ran.status, len(ran.err.splitlines())) == (1, 1)
    assert "7777" in ran.err
    assert not [char for char in ran.err.rstrip("\n") if not char.isprintable()]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_gateway_that_is_down_is_status_3(command: tuple[str, ...], gateway: Gateway, run: Run) -> None:
    gateway(BALANCE).close()
    ran = run("gateway", *command, stdin=f"{NEW}\n{NEW}\n")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (3, "", 1)
    assert "Nothing was sent" in ran.err
    assert "RECEIVER_GATEWAY_URL" in ran.err


@pytest.mark.parametrize("command", COMMANDS[:2])
@pytest.mark.parametrize("behaviour", [Reset(), http(b"<html>"), http(b"", b"500 Error"), BALANCE[:-1]])
def test_an_answer_in_doubt_is_status_3(
    command: tuple[str, ...], behaviour: Behaviour, gateway: Gateway, run: Run
) -> None:
    gateway(behaviour)
    ran = run("gateway", *command)
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (3, "", 1)
    assert "not known" in ran.err


@pytest.mark.parametrize("command", COMMANDS)
def test_without_an_account_nothing_is_asked(
    command: tuple[str, ...], gateway: Gateway, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = gateway(BALANCE)
    for name in ("NAME", "PASSWORD"):
        monkeypatch.delenv(f"RECEIVER_GATEWAY_{name}")
        ran = run("gateway", *command, stdin=f"{NEW}\n{NEW}\n")
        assert (ran.status, len(ran.err.splitlines())) == (2, 1)
        assert f"RECEIVER_GATEWAY_{name}" in ran.err
    assert server.asked == []


def test_a_new_password_comes_in_two_lines(gateway: Gateway, run: Run) -> None:
    server = gateway(CHANGED)
    for stdin in (f"{NEW}\n{NEW}\n", f"{NEW}\r\n{NEW}"):
        ran = run("gateway", "password", "--stdin", stdin=stdin)
        assert (ran.status, ran.err) == (0, "")
        assert "RECEIVER_GATEWAY_PASSWORD" in ran.out
        assert "RECEIVER_GATEWAY_PASSWORD_FILE" in ran.out
        assert NEW not in ran.out
    assert {(asked.parameters["pwd"], asked.parameters["newpwd"]) for asked in server.asked} == {
        (OLD.encode(), NEW.encode())
    }


@pytest.mark.parametrize(
    "stdin",
    [
        "",
        f"{NEW}\n",
        f"{NEW}\nother-pass\n",
        f"{NEW}\n{NEW}\n{NEW}\n",
        "four\nfour\n",
        "\n\n",
        "a" * 20 + "\n" + "a" * 20,
        "my pass\nmy pass\n",
        "新的密码哦\n新的密码哦\n",
    ],
)
def test_what_can_be_no_new_password_changes_nothing(stdin: str, gateway: Gateway, run: Run) -> None:
    server = gateway(CHANGED)
    ran = run("gateway", "password", "--stdin", stdin=stdin)
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert server.asked == []
    for line in filter(None, stdin.splitlines()):
        assert line not in ran.err


def test_without_a_terminal_the_password_is_not_asked_for(gateway: Gateway, run: Run) -> None:
    server = gateway(CHANGED)
    ran = run("gateway", "password", stdin=f"{NEW}\n{NEW}\n")
    assert ran.status == 2
    assert "--stdin" in ran.err
    assert server.asked == []


@pytest.mark.parametrize("behaviour", [Reset(), http(b"<html>"), http(b"err=x")])
def test_a_change_in_doubt_says_how_to_find_out(behaviour: Behaviour, gateway: Gateway, run: Run) -> None:
    gateway(behaviour)
    ran = run("gateway", "password", "--stdin", stdin=f"{NEW}\n{NEW}\n")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (3, "", 1)
    assert "Either password may be valid" in ran.err
    assert "receiver gateway balance" in ran.err
    assert NEW not in ran.err + ran.out


def test_on_a_terminal_the_password_is_asked_for_twice_and_not_shown(gateway: Gateway) -> None:
    server = gateway(CHANGED)
    assert "do not match" in (shown := _typed(NEW, "other", NEW, NEW))
    assert "The password is changed" in shown
    assert NEW not in shown
    assert "other" not in shown
    assert [asked.parameters["newpwd"] for asked in server.asked] == [NEW.encode()]


def test_the_password_comes_from_a_file_too(
    gateway: Gateway, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = gateway(BALANCE)
    (tmp_path / "secret").write_text("from-file\n")
    monkeypatch.delenv("RECEIVER_GATEWAY_PASSWORD")
    monkeypatch.setenv("RECEIVER_GATEWAY_PASSWORD_FILE", str(tmp_path / "secret"))
    assert run("gateway", "balance").status == 0
    assert server.asked[0].parameters["pwd"] == b"from-file"


def test_the_settings_reach_the_client(gateway: Gateway, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    server = gateway(ALLOWED)
    monkeypatch.setenv("RECEIVER_GATEWAY_CHARSET", "utf-8")
    monkeypatch.setenv("RECEIVER_GATEWAY_METHOD", "get")
    assert run("gateway", "check", "你好").status == 0
    assert server.asked[0].method == "GET"
    assert server.asked[0].parameters["content"] == b"\xe4\xbd\xa0\xe5\xa5\xbd"


def test_a_silent_gateway_holds_us_for_the_timeout_alone(
    gateway: Gateway, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway(Silence())
    monkeypatch.setenv("RECEIVER_GATEWAY_TIMEOUT", "1")
    ran = run("gateway", "balance")
    assert ran.status == 3
    assert "no answer in time" in ran.err


def _typed(*lines: str) -> str:
    """What a terminal shows while these lines are typed, each at its question."""
    ours, theirs = pty.openpty()
    process = Process(
        "receiver", "gateway", "password", stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = b""
    waiting = list(lines)
    while True:
        try:
            data = os.read(ours, 4_096)
        except OSError:  # the other end was closed
            break
        shown += data
        if data.rstrip().endswith(b":") and waiting:
            os.write(ours, waiting.pop(0).encode() + b"\n")
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()
