"""Several pollers over a day, killed at random moments, on machines with a wall clock that jumps: never too early, and
nothing lost or doubled."""

import os
import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from receiver.gateway.client import Fetched, InDoubt, NotSent
from receiver.gateway.polling import Drain, Poller, Spool, lease_seconds
from receiver.gateway.polling import spool as module
from receiver.intake import Intake, Outcome
from receiver.store.store import Store
from receiver.store.tables import messages, optouts
from receiver.vocabulary import Quarantined, Reading, Reply
from receiver.worker.lease import Leases
from receiver.worker.runner import Outage, TaskRunner
from receiver.worker.task import Ran, Task
from tests.gateway.polling.conftest import WINDOW
from tests.gateway.polling.inbox import NOTHING, answer
from tests.gateway.polling.world import World
from tests.intake.replies import rows

pytestmark = pytest.mark.slow  # the whole file: it is begun with

NAME = "poll:demo"


class Killed(BaseException):
    """kill -9 of one process: nothing of ours catches it."""


class Gateway:
    """Answers with a delay, fails now and then, and remembers when each call began and was answered."""

    def __init__(self, world: World, dice: random.Random, replies: int, timeout: float) -> None:
        self.timeout = timeout
        self.calls: list[tuple[float, float]] = []
        self.handed_out: list[int] = []
        self._world = world
        self._dice = dice
        # They come in bursts over the day.
        self._due = sorted(dice.choice([0.1, 0.3, 0.31, 0.8]) + dice.random() * 0.02 for _ in range(replies))
        self.deadly = 0.0

    def fetch_reply(self) -> Fetched:
        began, delay = self._world.time, self._dice.choice([0.05, 0.2, 2.0, self.timeout - 0.1])
        self.calls.append((began, began + delay))
        if self._dice.random() < self.deadly:
            self._world.wait(delay / 2)
            raise Killed  # before it came to the inbox
        self._world.wait(delay)
        match self._dice.random():
            case chance if chance < 0.02:
                raise NotSent("no route")
            case chance if chance < 0.04:
                raise InDoubt("no answer, and nothing handed out")
        number = len(self.handed_out)
        if number == len(self._due) or self._due[number] * 86_400 > self._world.time:
            return Fetched(NOTHING)
        self.handed_out.append(number + 1)
        return Fetched(said(number + 1))


def said(number: int) -> bytes:
    return answer(number, b"0000" if number % 5 == 0 else b"hello %d" % number, f"1390000{number:04}")


class Perilous:
    """What a process does, and may die at."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.deadly = 0.0

    def maybe(self) -> None:
        if self._dice.random() < self.deadly:
            raise Killed


class PerilousOs:
    """The operating system, in which each step of the spool may be the last."""

    def __init__(self, peril: Perilous) -> None:
        self._peril = peril

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in ("write", "fsync", "rename"):
            return real

        def step(*arguments: Any) -> Any:
            done = real(*arguments)
            self._peril.maybe()  # after it, so that what was handed out is in a file at least
            return done

        return step


class PerilousIntake(Intake):
    peril: Perilous

    def store(self, made: Reply | Quarantined) -> Outcome:
        self.peril.maybe()
        outcome = super().store(made)
        self.peril.maybe()
        return outcome


class Machine:
    """A place with a spool, where one process after the other runs the worker's poll task."""

    def __init__(
        self, world: World, url: str, folder: Path, gateway: Gateway, peril: Perilous, dice: random.Random, apart: float
    ) -> None:
        self._world, self._gateway, self._peril, self._dice, self._apart = world, gateway, peril, dice, apart
        self.spool = Spool(folder)
        self.store = Store(url)
        self.intake = PerilousIntake(self.store, duplicate_window=WINDOW, timeout=60, max_waiting=10)
        self.intake.peril = peril
        self.drain = Drain(self.spool, self.intake, self.store, Reading())
        self.lives = 0

    def live(self) -> None:
        while not self._world.is_over:
            self.lives += 1
            try:
                self._process()
            except Killed:
                self._world.wait(self._dice.choice([0.2, 5.0, 400.0]))

    def _process(self) -> None:
        self.drain.run()
        world = self._world
        poller = Poller(
            self._gateway, self.spool, self.drain, account="demo", charset="gb18030", apart=self._apart,
            now=world.now, clock=world.clock,
        )  # fmt: skip

        def run(lease: Any, wait: Any) -> Ran:
            poller.run(lease, wait)
            return Ran(self._apart)

        def wait(seconds: float) -> bool:
            over = world.wait(seconds)
            self._peril.maybe()
            return over

        seconds = lease_seconds(self._gateway.timeout, self._apart)
        task = Task(NAME, seconds, run, look_every=self._apart, retry_after=self._apart)
        leases = Leases(self.store, now=world.now, clock=world.clock)
        TaskRunner(task, leases, Outage(), wait, world.now).run()

    def close(self) -> None:
        self.intake.close()
        self.store.close()


@pytest.mark.parametrize("seed", range(2))
def test_a_day_of_pollers_that_die_and_clocks_that_jump_loses_nothing_and_is_never_too_early(
    seed: int, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A minute apart instead of 5.5 s, so that a day is 1,440 calls and not 15,000.
    apart, replies = 60.0, 60
    dice, world = random.Random(seed), World(ends=86_400)
    peril = Perilous(dice)
    gateway = Gateway(world, dice, replies, timeout=30)
    monkeypatch.setattr(module, "os", PerilousOs(peril))
    # SQLite is one machine's, with one folder; with PostgreSQL they are two.
    folders = ["one", "one"] if database_url.startswith("sqlite") else ["one", "two"]
    machines = [Machine(world, database_url, tmp_path / folder, gateway, peril, dice, apart) for folder in folders]
    for machine in machines:
        world.actor(machine.live)

    def jumps() -> None:
        while not world.wait(dice.uniform(100, 9_000)):
            world.jump += timedelta(seconds=dice.choice([-3_600, -61, -3, 3, 61, 3_600]))

    world.actor(jumps)
    peril.deadly, gateway.deadly = 0.004, 0.01
    world.run()
    peril.deadly = gateway.deadly = 0.0

    assert min(machine.lives for machine in machines) > 5, "hardly anybody died: this shows nothing"
    assert len(gateway.calls) > 300
    assert_apart(gateway.calls, apart)
    for machine in machines:
        machine.drain.run()
        assert [path.name for path in machine.spool.folder.glob("[!.]*")] == []
    stored = Counter(int(row.gateway_id) for row in rows(machines[0].store, messages))
    assert stored == Counter(gateway.handed_out)
    assert len(gateway.handed_out) == replies
    stops = {f"+861390000{number:04}" for number in gateway.handed_out if number % 5 == 0}
    assert {row.phone for row in rows(machines[0].store, optouts)} == stops
    for machine in machines:
        machine.close()


def test_of_two_pollers_that_live_one_asks_and_keeps_its_pace(database_url: str, tmp_path: Path) -> None:
    world, dice = World(ends=600), random.Random(1)
    peril = Perilous(dice)
    gateway = Gateway(world, dice, 0, timeout=5)
    machines = [Machine(world, database_url, tmp_path, gateway, peril, dice, 5.5) for _ in range(2)]
    for machine in machines:
        world.actor(machine.live)
    world.run()
    assert_apart(gateway.calls, 5.5)
    assert len(gateway.calls) > 30
    for machine in machines:
        machine.close()


def assert_apart(calls: list[tuple[float, float]], apart: float) -> None:
    latest = -1e9
    for began, answered in sorted(calls):
        assert began - latest >= apart - 1e-6, f"a call at {began:.2f}, after an answer at {latest:.2f}"
        latest = max(latest, answered)
