"""Load on one server: wrk where it is installed, else a slower generator of our own; both say the same line of JSON."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes

SCRIPT = Path(__file__).with_name("replies.lua")
# A wrk that waits no longer than this for an answer counts an error.
TIMEOUT_SECONDS = 10

# Phones are 13 and nine digits. The step is coprime to their number, so that all are visited once, and in no order:
# phones that grow would spare the index on them its random pages.
PHONES, STEP = 1_000_000_000, 618_033_989
LARGEST_RUN = 10_000_000

SERVICE = "10690000"
# What people write. No unsubscribe: it does more than any baseline.
TEXTS = (
    "好的",
    "收到，谢谢！",
    "1",
    "请问明天几点开始？我可能会晚到十分钟。",
    "退订是发四个零吗",
    "我的订单已经三天没有更新了，麻烦帮我查一下，谢谢。",
    "TD",
    "地址改成上海市浦东新区世纪大道100号，收件人王先生，电话不变，辛苦了！",
)
# Half in each: the gateway's charset is not ours to choose (protocol.md §8).
ENCODINGS = ("utf-8", "gb18030")


class LoadFailed(Exception):
    """The generator gave up; the message ends with what it said."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a generator saw of one run. wrk measures latency; where a server stalls, it adds the requests that it would
    have sent meanwhile."""

    replies: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int

    @property
    def per_second(self) -> float:
        return self.replies / self.seconds


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def generator() -> str:
    """The generator's name, and what its reader must know of it."""
    if has_wrk():
        said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
        return " ".join(said.split()[:2])
    return "our own, as wrk is not installed: slower, and takes more of the processors from the servers"


def drive(port: int, *, run: int, seconds: int, connections: int) -> Load:
    """Load the server at ``port``; runs of different numbers share no phone. Raises LoadFailed."""
    first = run * LARGEST_RUN * STEP % PHONES
    arguments = [str(first), str(STEP), *query_ends()]
    if has_wrk():
        options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s", "-s", str(SCRIPT)]
        command = ["wrk", *options, f"http://127.0.0.1:{port}/", "--", *arguments]
    else:
        command = [sys.executable, "-m", "bench.generator", str(port), str(seconds), str(connections), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise LoadFailed(f"{command[0]} exited with {ended.returncode}\n{ended.stdout}{ended.stderr}")
    return read(ended.stdout)


def query_ends() -> list[str]:
    """What follows the phone in a request's target, text by text."""
    return [
        f"&dst={SERVICE}&msg={quote_from_bytes(text.encode(encoding), safe=b'')}"
        for encoding in ENCODINGS
        for text in TEXTS
    ]


def read(output: str) -> Load:
    """The last line of a generator's output, whatever it printed before. Raises LoadFailed."""
    lines = output.splitlines()
    try:
        load = Load(**json.loads(lines[-1]))
    except (IndexError, ValueError, TypeError) as error:
        raise LoadFailed(f"the load generator did not end with its results: {error}\n{output}") from error
    if load.replies <= 0:
        raise LoadFailed(f"no request was answered\n{output}")
    return load
