"""``receiver simulate gateway``, as a process."""

import json
import re
import shlex
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import PIPE
from urllib.parse import urlsplit

import pytest

from tests.callback.raw import ask, get
from tests.processes import Process, run

RUN = ("receiver", "simulate", "gateway")


@dataclass
class Running:
    process: Process
    settings: dict[str, str]

    def get(self, target: bytes) -> bytes:
        return ask(urlsplit(self.settings["RECEIVER_GATEWAY_URL"]).port or 0, get(target)).body

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    with Process(*RUN, "--port", "0", *arguments, stdout=PIPE, stderr=PIPE, text=True) as process:
        try:
            settings = {}
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith("export "):
                    name, _, value = line.removeprefix("export ").partition("=")
                    (settings[name],) = shlex.split(value)
                if "Ctrl-C" in line:
                    break
            yield Running(process, settings)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_which_settings_use_it_and_sums_up_at_the_end(number: signal.Signals) -> None:
    with running("--account", "li:it's secret", "--fault", "getfee:error-500=every:1") as gateway:
        assert gateway.settings == {
            "RECEIVER_GATEWAY_URL": gateway.settings["RECEIVER_GATEWAY_URL"],
            "RECEIVER_GATEWAY_NAME": "li",
            "RECEIVER_GATEWAY_PASSWORD": "it's secret",
            "RECEIVER_GATEWAY_CHARSET": "gb18030",
        }
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/send/", gateway.settings["RECEIVER_GATEWAY_URL"])
        login = b"?name=li&pwd=it%27s+secret"
        assert gateway.get(b"/send/gsend.asp" + login + b"&dst=13900000001,1&msg=hi").startswith(b"num=1&")
        assert gateway.get(b"/send/gsend.asp" + login + b"&dst=13900000001&msg=").endswith(b"6014")
        gateway.get(b"/send/getfee.asp" + login)
        status, out, err = gateway.end(number)
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "calls": 3, "faults": 1, "not_carried_out": 0, "refused": 2, "texts": 1, "delivered": 1, "texts_after_stop": 0,
        "replies": 0, "unread": 0, "pushed": 0, "acknowledged": 0, "violations": 0, "balance": 9999,
    }  # fmt: skip


def test_flags_make_the_gateway_what_they_say() -> None:
    arguments = ["--path", "/x", "--charset", "utf-8", "--balance", "7", "--short-name", "某某"]
    arguments += ["--forbidden-word", "sesame", "--refuse", "13900000009=6009", "--format", "table"]
    with running(*arguments) as gateway:
        login = b"?name=demo&pwd=demo123"
        assert gateway.get(b"/x/getfee.asp" + login) == "id=7&err=&errid=0&short=某某".encode()
        assert gateway.get(b"/x/checkcontent.asp" + login + b"&content=open+sesame") == b"errid=6005&err=sesame"
        refused = gateway.get(b"/x/gsend.asp" + login + b"&dst=13900000009&msg=hi")
        assert refused.endswith(b"errid=6009")
        status, out, _ = gateway.end()
    assert status == 0
    assert re.search(r"^ *calls +3 *$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "--allow-remote"),
        (["--host", "example"], "--host takes an address"),
        (["--push-to", "http://192.0.2.1/recv.asp"], "--allow-remote"),
        (["--push-to", "nowhere"], "is no URL"),
        (["--duplicates"], "--duplicates needs --push-to"),
        (["--account", "secret"], "NAME:PASSWORD"),
        (["--fault", "hang=1"], "no fault is called 'hang'"),
        (["--refuse", "13900000001=7000"], "PHONE=CODE"),
        (["--allow-from", "here"], "write for example"),
        (["--push-charset", "gbk", "--reply", "😀"], "--reply can't be pushed"),
    ],
)
def test_wrong_usage_is_exit_status_2_with_what_to_do(arguments: list[str], said: str) -> None:
    done = run(*RUN, "--port", "0", *arguments, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "secret" not in done.stderr


def test_a_port_that_is_taken_is_exit_status_1_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(*RUN, "--port", taken.getsockname()[1], text=True)
    assert done.returncode == 1
    assert "Choose another --port" in done.stderr
