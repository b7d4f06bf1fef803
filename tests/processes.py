"""``python -m receiver …`` as processes of their own, forked from one that has imported the receiver already.

Importing takes a second of a processor, and the tests start the receiver hundreds of times. What runs is a process like
any other all the same: with its own number, folder, settings and descriptors, waited for and killed by who started it.

with Process("receiver", "worker", cwd=folder, env=settings) as process:
    process.terminate()
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import os
import pickle
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import receiver

_PR_SET_CHILD_SUBREAPER = 36
_LONGEST_REQUEST = 128 * 1024
_one_at_a_time = threading.Lock()


class Process(subprocess.Popen[Any]):
    """``Popen`` of ``python -m module arguments…``, with its options for pipes, folder, environment and session."""

    def __init__(self, module: str, *arguments: object, **options: Any) -> None:
        super().__init__([module, *map(str, arguments)], **options)

    # How Popen starts a program: what is done otherwise here. Its pipes, waiting and killing stay.
    def _execute_child(
        self, args: Sequence[str], _executable: Any, _preexec_fn: Any, _close_fds: Any, _pass_fds: Any,
        cwd: Any, env: Any, _startupinfo: Any, _creationflags: Any, _shell: Any,
        p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int, errread: int, errwrite: int,
        _restore_signals: Any, _gid: Any, _gids: Any, _uid: Any, _umask: Any, start_new_session: bool, *_: Any,
    ) -> None:  # fmt: skip
        request = pickle.dumps(
            (args, str(cwd or Path.cwd()), dict(os.environ if env is None else env), start_new_session)
        )
        streams = [ours if given == -1 else given for ours, given in enumerate((p2cread, c2pwrite, errwrite))]
        with _one_at_a_time, _adopting():
            socket.send_fds(_fork_server(), [request], streams)
            self.pid = int(_fork_server().recv(32))
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]


def run(module: str, *arguments: object, timeout: float = 60, **options: Any) -> "subprocess.CompletedProcess[Any]":
    """``subprocess.run`` of the same; what it prints is captured, unless it was told where to print it."""
    stdin = options.pop("input", None)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if stdin is not None:
        streams["stdin"] = subprocess.PIPE
    with Process(module, *arguments, **{**streams, **options}) as process:
        try:
            out, err = process.communicate(stdin, timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    """While it lasts, a process whose parent has ended becomes a child of this one, which then may wait for it."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0)


@cache
def _fork_server() -> socket.socket:
    """Our end of what a process listens to that forks another for each request, and ends when nobody has this end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
        command = [sys.executable, "-m", __name__, str(theirs.fileno())]
        server = subprocess.Popen(
            command, cwd=Path(__file__).parents[1], env=clean, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
        )
    atexit.register(server.wait)
    atexit.register(ours.close)
    return ours


def _import_all() -> None:
    for module in pkgutil.walk_packages(receiver.__path__, "receiver."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.freeze()


def _forked(requests: socket.socket) -> tuple[str, ...]:
    """In each process that was asked for: what it is to run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    while True:
        request, streams, _, _ = socket.recv_fds(requests, _LONGEST_REQUEST, 3)
        if not request:
            os._exit(0)
        told, tell = os.pipe()
        between = os.fork()
        if between == 0:
            # Who forks it ends at once, so that it is adopted by who asked.
            started = os.fork()
            if started == 0:
                return _become(streams, *pickle.loads(request))
            os.write(tell, str(started).encode())
            os._exit(0)
        os.close(tell)
        os.waitpid(between, 0)
        requests.send(os.read(told, 32))
        for number in (told, *streams):
            os.close(number)


def _become(
    streams: Sequence[int], args: Sequence[str], cwd: str, env: dict[str, str], is_session: bool
) -> tuple[str, ...]:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if is_session:
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    # Anew, as a fresh interpreter would: those of the process that was forked remember what it printed to.
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _writer(1, is_by_line=os.isatty(1))  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _writer(2, is_by_line=True, errors="backslashreplace")  # type: ignore[misc]
    return tuple(args)


def _writer(number: int, *, is_by_line: bool, errors: str = "strict") -> io.TextIOWrapper:
    plain = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
    return io.TextIOWrapper(plain, errors=errors, line_buffering=is_by_line)


if __name__ == "__main__":
    _import_all()
    sys.argv = list(_forked(socket.socket(fileno=int(sys.argv[1]))))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
