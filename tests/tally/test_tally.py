"""What is counted: nothing is lost between threads and processes, and no label can be made up."""

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from receiver import tally
from receiver.gateway.client.codes import MEANINGS
from receiver.tally import ANSWERS, COMMIT_ITEMS, CONNECTIONS, GATEWAY_REFUSALS, Cell, Measure, Role


@pytest.fixture(autouse=True)
def _of_their_own() -> Iterator[None]:
    tally.begin()
    yield
    tally.begin()


def counted(measure: Measure, *labels: str, role: Role = Role.CALLBACK) -> list[int]:
    found = dict(tally.read(role))[measure]
    (values,) = [list(each.values) for each in found if each.labels == labels]
    return values


def in_another_process(line: int, *counts: tuple[Cell, int]) -> None:
    """Count so much in a process that joins a line and dies there, as one that is killed does."""
    pid = os.fork()
    if pid == 0:
        tally.join(line)
        for cell, count in counts:
            cell.add(count)
        os._exit(0)
    os.waitpid(pid, 0)


def test_threads_count_each_of_theirs() -> None:
    cell = ANSWERS.of("0")

    def count() -> None:
        for _ in range(20_000):
            cell.add()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=count) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert counted(ANSWERS, "0") == [160_000]


def test_processes_of_a_role_are_told_of_together_and_what_a_dead_one_counted_stays() -> None:
    tally.begin(2)
    for line in (0, 1, 1):
        in_another_process(line, (ANSWERS.of("0"), 5), (CONNECTIONS.of(), 3))
    assert counted(ANSWERS, "0") == [15]
    assert counted(CONNECTIONS) == [6], "of two that died in one line the second alone"


def test_a_process_that_takes_a_dead_one_s_place_has_no_connections_of_its() -> None:
    tally.begin(1)
    in_another_process(0, (CONNECTIONS.of(), 3))
    in_another_process(0)
    assert counted(CONNECTIONS) == [0]


def test_a_role_that_begins_counts_from_nothing() -> None:
    ANSWERS.of("0").add()
    tally.begin(1)
    assert counted(ANSWERS, "0") == [0]


def test_a_spread_has_a_count_for_each_bound_and_the_sum() -> None:
    items = COMMIT_ITEMS.of("spool")
    for value in (1, 2, 3, 256, 1_000):
        items.observe(value)
    assert counted(COMMIT_ITEMS, "spool") == [1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1_262]
    assert counted(COMMIT_ITEMS, "database") == [0] * 11


def test_a_label_that_was_not_declared_is_refused() -> None:
    with pytest.raises(KeyError):
        ANSWERS.of("13900000001")


def test_the_gateway_s_codes_are_all_there_and_any_other_is_one_of_others() -> None:
    for code in (*MEANINGS, 0, -5, 10**30):
        tally.code_of(code).add()
    assert counted(GATEWAY_REFUSALS, "other", role=Role.WORKER) == [3]
    assert counted(GATEWAY_REFUSALS, "6003", role=Role.WORKER) == [1]
