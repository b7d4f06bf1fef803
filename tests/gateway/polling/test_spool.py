"""The spool: an answer is there, whole, when keep returns, and whatever a crash or a bad disk leaves blocks nobody."""

import errno
import logging
import os
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from receiver.gateway.client import transport
from receiver.gateway.polling import spool as module
from receiver.gateway.polling.answer import Answer, Corrupt, OtherVersion
from receiver.gateway.polling.spool import Spool
from receiver.intake.spool import disk
from receiver.vocabulary import new_id

READ_AT = datetime(2026, 6, 3, 9, 0, 30, 123456, tzinfo=UTC)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "var")


def answered(body: bytes = b"id=1&msg=\xc4\xe3\n\n&src=13900000001") -> Answer:
    return Answer(new_id(), READ_AT, "企业\n1", "gb18030", body)


@pytest.mark.parametrize("body", [b"", b"\n", b"id=1&msg=\xff\x00\n\n{}", b"x" * 200_000])
def test_an_answer_is_read_as_it_was_kept(body: bytes, spool: Spool) -> None:
    kept = answered(body)
    spool.keep(kept)
    assert spool.waiting() == [kept.id]
    assert spool.read(kept.id) == kept


def test_answers_wait_in_the_order_in_which_they_were_read(spool: Spool) -> None:
    kept = [answered() for _ in range(20)]
    for each in reversed(kept):
        spool.keep(each)
    assert spool.waiting() == [each.id for each in kept]


def test_only_its_owner_can_read_a_file(spool: Spool) -> None:
    kept = answered()
    before = os.umask(0)
    try:
        spool.keep(kept)
    finally:
        os.umask(before)
    assert (spool.folder / f"{kept.id}.reply").stat().st_mode & 0o777 == 0o600
    assert spool.folder.stat().st_mode & 0o777 == 0o700


def test_what_was_removed_is_gone_and_may_be_removed_by_two(spool: Spool) -> None:
    kept = answered()
    spool.keep(kept)
    spool.remove(kept.id)
    spool.remove(kept.id)
    assert spool.waiting() == []
    assert spool.read(kept.id) is None


def test_an_empty_installation_has_nothing(spool: Spool) -> None:
    spool.adopt()
    assert (spool.waiting(), spool.corrupt()) == ([], 0)
    assert not spool.folder.exists()


def test_every_step_is_on_disk_before_the_next(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    spool.reserve()  # makes the folder
    spool.release()

    class Watched:
        def __getattr__(self, name: str) -> Any:
            def call(*arguments: Any, **options: Any) -> Any:
                if name in ("write", "fsync", "rename"):
                    is_folder = name == "fsync" and os.path.isdir(f"/proc/self/fd/{arguments[0]}")
                    steps.append("fsync folder" if is_folder else name)
                return getattr(os, name)(*arguments, **options)

            return call if callable(getattr(os, name)) else getattr(os, name)

    for each in (module, disk):
        monkeypatch.setattr(each, "os", Watched())
    spool.keep(answered())
    assert steps == ["write", "fsync", "rename", "fsync folder"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-1],
        lambda packed: packed + b"x",
        lambda packed: packed.replace(b"13900000001", b"13900000002"),
        lambda packed: packed.replace(b"2026-06-03", b"2026-06-04"),
        lambda packed: packed[:20],
        lambda packed: b"",
        lambda packed: b"\0" * len(packed),
        lambda packed: b"something else\n",
    ],
    ids=["short", "long", "body", "head", "torn", "empty", "zeros", "other"],
)
def test_a_damaged_file_is_set_aside_with_its_bytes_and_reported(
    damage: Any, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    kept = answered()
    spool.keep(kept)
    path = spool.folder / f"{kept.id}.reply"
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(Corrupt) as why:
        spool.read(kept.id)
    with caplog.at_level(logging.ERROR):
        spool.set_aside(kept.id, why.value)
        spool.set_aside(kept.id, why.value)  # by another process at once
    assert spool.waiting() == []
    assert spool.corrupt() == 1
    assert path.with_suffix(".corrupt").read_bytes() == damaged
    assert len(caplog.records) == 1
    assert "13900000001" not in caplog.text


def test_a_file_of_another_version_is_not_taken_for_a_damaged_one(spool: Spool) -> None:
    kept = answered()
    spool.keep(kept)
    path = spool.folder / f"{kept.id}.reply"
    path.write_bytes(path.read_bytes().replace(b"receiver-poll 1 ", b"receiver-poll 2 "))
    with pytest.raises(OtherVersion):
        spool.read(kept.id)
    assert spool.waiting() == [kept.id]


@pytest.mark.parametrize(("cut", "waiting", "corrupt"), [(None, 1, 0), (-1, 0, 1), (10, 0, 1), (0, 0, 1)])
def test_what_a_dead_writer_left_is_kept_where_it_is_whole(
    cut: int | None, waiting: int, corrupt: int, spool: Spool
) -> None:
    kept = answered()
    spool.keep(kept)
    path = spool.folder / f"{kept.id}.reply"
    path.with_suffix(".part").write_bytes(path.read_bytes()[:cut])
    path.unlink()
    spool.adopt()
    assert (len(spool.waiting()), spool.corrupt()) == (waiting, corrupt)
    assert not path.with_suffix(".part").exists()
    if waiting:
        assert spool.read(kept.id) == kept


def test_what_a_living_writer_is_writing_is_left_to_it(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    in_write, go_on = threading.Event(), threading.Event()
    real = module._write

    def slowly(handle: int, content: bytes) -> None:
        os.write(handle, content[:20])
        in_write.set()
        assert go_on.wait(20)
        os.lseek(handle, 0, os.SEEK_SET)
        real(handle, content)

    spool.reserve()
    spool.release()
    monkeypatch.setattr(module, "_write", slowly)
    kept = answered()
    writer = threading.Thread(target=spool.keep, args=[kept])
    writer.start()
    assert in_write.wait(20)
    spool.adopt()
    assert (spool.waiting(), spool.corrupt()) == ([], 0)
    go_on.set()
    writer.join()
    assert spool.read(kept.id) == kept


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_noticed_before_anything_is_asked_for_and_leaves_nothing_behind(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        spool.reserve()
    monkeypatch.undo()
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        spool.keep(answered())
    monkeypatch.undo()
    assert [path.name for path in spool.folder.iterdir()] == [".lock"]


def test_an_answer_goes_into_room_that_the_disk_has_given_already(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.reserve()
    spool.reserve()
    [room] = spool.folder.glob(".reserved-*")
    held = room.stat()
    assert held.st_blocks * 512 >= 128 * 1024 > transport.LARGEST_ANSWER
    kept = replace(answered(), body=bytes(range(256)) * 250)
    # A disk that gives no more room.
    monkeypatch.setattr(os, "posix_fallocate", full)
    spool.keep(kept)
    [path] = spool.folder.glob("*.reply")
    assert path.stat().st_ino == held.st_ino
    assert path.stat().st_size < held.st_size
    assert spool.read(kept.id) == kept
    with pytest.raises(OSError, match="No space left"):
        spool.reserve()


@pytest.mark.parametrize("step", ["ftruncate", "fsync"])
def test_a_writer_that_dies_with_room_left_behind_its_answer_loses_nothing(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Killed

    spool.reserve()
    kept = answered()
    monkeypatch.setattr(os, step, dies)
    with pytest.raises(Killed):
        spool.keep(kept)
    monkeypatch.undo()
    # A kill closes what was open, and so ends the lock.
    for handle in map(int, os.listdir("/proc/self/fd")):
        with suppress(OSError):
            if ".reserved-" in os.readlink(f"/proc/self/fd/{handle}"):
                os.close(handle)
    spool.adopt()
    [adopted] = spool.waiting()
    assert spool.read(adopted) == replace(kept, id=adopted)
    assert spool.corrupt() == 0


def test_room_of_the_dead_is_given_back_and_that_of_the_living_is_not(spool: Spool, tmp_path: Path) -> None:
    other = Spool(tmp_path / "var")
    assert other.folder == spool.folder
    other.reserve()
    (spool.folder / f".reserved-{new_id()}").write_bytes(b"\0" * 10)
    spool.adopt()
    assert len(list(spool.folder.glob(".reserved-*"))) == 1
    other.release()
    assert list(spool.folder.glob(".reserved-*")) == []


def test_a_cut_answer_is_known_as_that_after_a_restart(spool: Spool) -> None:
    kept = replace(answered(), whole=False)
    spool.keep(kept)
    assert spool.read(kept.id) == kept


def test_an_answer_shows_nothing_of_itself() -> None:
    shown = repr(replace(answered(), body=b"src=13900000001&msg=secret"))
    assert "13900000001" not in shown
    assert "secret" not in shown
