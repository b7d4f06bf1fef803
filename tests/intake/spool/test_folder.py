"""The spool's folder: what was kept is there for whoever comes next, within bounds, whatever became of its files."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from receiver.intake.spool import Full, Limits, Spool, Spooled
from receiver.intake.spool import segment as segments
from receiver.intake.spool.segment import content_of, locked
from tests.intake.replies import quarantined, reply

ROOMY = Limits.of_megabytes(100, 0)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path, ROOMY)


def kept(spool: Spool) -> list[Any]:
    return [item for path in spool.waiting() for item in content_of(path).items]


def keep_all(spool: Spool, texts: Iterable[int]) -> None:
    for number in texts:
        spool.keep([reply(f"{number}")])


def test_nothing_is_made_before_it_is_needed(spool: Spool, tmp_path: Path) -> None:
    assert spool.is_empty()
    assert spool.is_clear()
    assert spool.status().waiting == 0
    assert list(tmp_path.iterdir()) == []


def test_what_was_kept_is_there_in_its_order(spool: Spool, tmp_path: Path) -> None:
    items: list[Spooled] = [reply("a"), quarantined(), reply("0000"), reply("b")]
    spool.keep(items[:3])
    spool.keep(items[3:])
    other = Spool(tmp_path, ROOMY)
    assert kept(other) == items
    assert not other.is_clear()
    status = other.status()
    assert (status.files, status.waiting, status.stops, status.damaged) == (1, 4, 1, 0)
    assert status.oldest == min(item.received_at for item in items)
    assert status.size == sum(path.stat().st_size for path in spool.waiting())
    assert {path.stat().st_mode & 0o777 for path in spool.waiting()} == {0o600}


def test_who_writes_a_file_is_the_only_one_who_has_it(spool: Spool, tmp_path: Path) -> None:
    spool.keep([reply("a")])
    (path,) = Spool(tmp_path, ROOMY).waiting()
    with locked(path) as mine:
        assert not mine
    spool.seal()
    with locked(path) as mine:
        assert mine
        with locked(path) as again:
            assert not again
        path.unlink()
        with locked(path) as gone:
            assert not gone


def test_two_that_write_at_once_have_a_file_each(spool: Spool, tmp_path: Path) -> None:
    other = Spool(tmp_path, ROOMY)
    first, second, third = reply("a"), reply("b"), reply("c")
    spool.keep([first])
    other.keep([second])
    spool.keep([third])
    assert len(spool.waiting()) == 2
    assert kept(spool) == [first, third, second]


WRITER = """
import sys
from pathlib import Path
from receiver.intake.spool import Limits, Spool
from tests.intake.replies import reply
spool = Spool(Path(sys.argv[1]), Limits.of_megabytes(100, 0))
number = 0
while True:
    spool.keep([reply(f"{number} {each}") for each in range(20)])
    print(number, flush=True)
    number += 1
"""


def test_what_a_killed_process_was_told_is_kept_is_there(spool: Spool, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 30:
            pass
        process.send_signal(signal.SIGKILL)
        told = [int(line) for line in process.stdout]
    texts = [item.delivery.text for item in kept(spool)]
    promised = [f"{number} {each}" for number in range(max([*told, 30]) + 1) for each in range(20)]
    assert texts[: len(promised)] == promised
    assert len(texts) <= len(promised) + 20
    (path,) = spool.waiting()
    with locked(path) as mine:
        assert mine


@pytest.mark.parametrize(
    ("limits", "said"), [(Limits(300, 0), "0 MB that it may have"), (Limits(1 << 30, 1 << 60), "less than")]
)
def test_it_takes_no_more_than_it_may(tmp_path: Path, limits: Limits, said: str) -> None:
    spool = Spool(tmp_path, limits)
    items = iter(range(10))
    with pytest.raises(Full, match=said):
        keep_all(spool, items)
    assert list(items), "it took all of them"


def test_others_files_count_too(tmp_path: Path, spool: Spool) -> None:
    spool.keep([reply("x" * 1_000)])
    with pytest.raises(Full):
        Spool(tmp_path, Limits(500, 0)).keep([reply("a")])


@pytest.mark.parametrize("step", ["write_all", "fdatasync"])
def test_what_could_not_be_written_is_not_there_and_the_next_is(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    first, failed, second = reply("a"), reply("b"), reply("c")
    spool.keep([first])
    where: Any = segments if step == "write_all" else os
    right: Callable[..., Any] = getattr(where, step)

    def fails(*arguments: Any) -> Any:
        if step == "write_all":
            os.write(arguments[0], arguments[1][:50])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(where, step, fails)
    with pytest.raises(OSError, match="No space"):
        spool.keep([failed])
    monkeypatch.setattr(where, step, right)
    spool.keep([second])
    assert kept(spool) == [first, second]
    assert len(spool.waiting()) == 2, "after a failed write nobody knows what of a file is on disk"


def test_a_file_that_grows_large_is_followed_by_another(spool: Spool) -> None:
    big = [reply("长" * 2_000) for _ in range(400)]
    for start in range(0, 400, 20):
        spool.keep(big[start : start + 20])
        spool.keep(big[start : start + 20])
    assert len(spool.waiting()) > 1
    assert len(kept(spool)) == 800


def test_what_cant_be_looked_into_is_not_clear(spool: Spool, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("no folder")
    assert not spool.is_clear()
