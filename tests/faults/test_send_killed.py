"""A send that is killed at any step, one of ten thousand too: everybody is accounted for, nobody is texted twice."""

import os
import signal
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from receiver.gateway.sending import Dispatcher
from receiver.gateway.simulator.gateway import Account, Fault, Kind, SimulatedGateway
from receiver.store import sends, tables
from receiver.store.store import Store
from tests.faults.killed_send import AFTER_CALL, AFTER_COMMIT, BEFORE_CALL, BEFORE_COMMIT, IN_CALL, START_WITHIN
from tests.gateway.sending.test_dispatch import counted, gateway_at, in_state, stop
from tests.intake.replies import rows, verified_ledger
from tests.processes import Process

pytestmark = pytest.mark.slow  # the whole file: it is begun with

# ``make soak`` kills sends to ten thousand.
FEW = int(os.environ.get("KILLED_SENDS_TO", "1000"))
MANY = max(5_000, FEW)
CALLS = FEW // 100
STOPPED = 100
PHONES = [f"154{number:08}" for number in range(MANY)]


@pytest.fixture
def store(store: Store) -> Store:
    stop(store, *PHONES[:STOPPED])
    return store


class Command:
    """``receiver`` over a database and a gateway, in a process of its own."""

    def __init__(self, database_url: str, folder: Path, gateway: SimulatedGateway, *, people: int = FEW) -> None:
        self._folder = folder
        (folder / "phones.txt").write_text("\n".join(PHONES[:people]))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
        self._env = {
            **inherited,
            "RECEIVER_DATABASE_URL": database_url,
            "RECEIVER_GATEWAY_URL": gateway.url,
            "RECEIVER_GATEWAY_NAME": "demo",
            "RECEIVER_GATEWAY_PASSWORD": "demo123",
            "RECEIVER_GATEWAY_TIMEOUT": "5",
        }

    def start(self, *arguments: Any) -> Process:
        return Process(
            *arguments,
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: Any) -> int:
        with self.start(*arguments) as process:
            process.communicate()
            return process.wait()


SEND = ("gateway", "send", "--text", "明天停水", "--to-file", "phones.txt")

# The first transaction stores the send; then each batch takes one for its claim and one for its answer.
STEPS = [
    ("nothing is stored", BEFORE_COMMIT, 1),
    ("stored", AFTER_COMMIT, 1),
    ("the first claim is not in force", BEFORE_COMMIT, 2),
    ("the first is claimed", AFTER_COMMIT, 2),
    ("amid the first call", IN_CALL, 1),
    ("the first is answered", AFTER_CALL, 1),
    ("the first answer is not in force", BEFORE_COMMIT, 3),
    ("the first answer is stored", AFTER_COMMIT, 3),
    ("before a call in the middle", BEFORE_CALL, CALLS // 2),
    ("amid a call in the middle", IN_CALL, CALLS // 2),
    ("answered in the middle", AFTER_CALL, CALLS // 2),
    ("the last is answered", AFTER_CALL, CALLS),
]


@pytest.mark.parametrize(("step", "number"), [pytest.param(*case[1:], id=case[0]) for case in STEPS])
def test_a_send_killed_at_a_step_and_resumed_accounts_for_everybody(
    store: Store, database_url: str, tmp_path: Path, step: str, number: int
) -> None:
    # A call that is killed amid is carried out after the caller has died.
    slow = [Fault(Kind.SLOW, before=True, every=number, times=1, seconds=1)] if step == IN_CALL else []
    with SimulatedGateway([Account("demo", "demo123", balance=1_000_000)], slow) as gateway:
        command = Command(database_url, tmp_path, gateway)
        assert command.run("tests.faults.killed_send", "kill", step, number, "--", *SEND) == -9
        if (step, number) == (BEFORE_COMMIT, 1):
            assert (rows(store, tables.sends), gateway.calls) == ([], [])
            assert command.run("receiver", *SEND) == 1  # some are blocked
        _resume_and_count(store, gateway)


def test_a_send_killed_again_and_again_accounts_for_everybody(store: Store, database_url: str, tmp_path: Path) -> None:
    with SimulatedGateway([Account("demo", "demo123", balance=1_000_000)]) as gateway:
        command = Command(database_url, tmp_path, gateway, people=MANY)
        assert command.run("tests.faults.killed_send", "kill", BEFORE_CALL, 10, "--", *SEND) == -9
        (send,) = rows(store, tables.sends)
        for step in (AFTER_CALL, AFTER_COMMIT, BEFORE_COMMIT, AFTER_CALL):
            resume = ("gateway", "sends", "resume", send.id)
            assert command.run("tests.faults.killed_send", "kill", step, 9, "--", *resume) == -9
        _resume_and_count(store, gateway, people=MANY)
        assert 0 < len(in_state(store, "in_doubt")) <= 5 * 99


def _resume_and_count(store: Store, gateway: SimulatedGateway, *, people: int = FEW) -> None:
    (send,) = rows(store, tables.sends)
    # An hour later, when whoever died has long lost its batch.
    late = Dispatcher(store, gateway_at(gateway.url), region="CN", clock=lambda: datetime.now(UTC) + timedelta(hours=1))
    assert late.run_send(send.id) is None

    counts = counted(store, send.id)
    assert counts.keys() <= {"accepted", "blocked", "in_doubt"}
    assert sum(counts.values()) == people
    texted = Counter(f"+86{sent.phone}" for sent in gateway.sent)
    accepted, in_doubt = in_state(store, "accepted"), in_state(store, "in_doubt")
    assert set(texted.values()) == {1}
    assert accepted <= texted.keys() <= accepted | in_doubt
    assert in_state(store, "blocked") == {f"+86{phone}" for phone in PHONES[:STOPPED]}
    events = [event.phone for event in verified_ledger(store) if event.type == "send_blocked"]
    assert Counter(events) == Counter({f"+86{phone}": 1 for phone in PHONES[:STOPPED]})


def test_a_process_frozen_between_claim_and_call_asks_again_when_it_wakes(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    with SimulatedGateway([Account("demo", "demo123", balance=1_000_000)]) as gateway:
        command = Command(database_url, tmp_path, gateway)
        with command.start("tests.faults.killed_send", "freeze", AFTER_COMMIT, 2, "--", *SEND) as process:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            (send,) = rows(store, tables.sends)
            (claimed,) = [batch for batch in rows(store, tables.send_batches) if batch.state == "sending"]
            first = _phones(store, send.id)
            assert claimed.number == 1
            stop(store, *first)
            began = datetime.now(UTC)
            while datetime.now(UTC) - began <= START_WITHIN:
                pass
            os.kill(process.pid, signal.SIGCONT)
            process.communicate()
            assert process.wait() == 1
        texted = {sent.phone for sent in gateway.sent}
        assert not texted & set(first)
        assert len(texted) == FEW - STOPPED - len(first)
    assert counted(store, send.id) == {"accepted": len(texted), "blocked": STOPPED + len(first)}


def _phones(store: Store, send_id: UUID) -> list[str]:
    with store.reading() as connection:
        sending = sends.recipients(connection, send_id, state=sends.State.SENDING, limit=100)
    return [row["phone"].removeprefix("+86") for row in sending]
