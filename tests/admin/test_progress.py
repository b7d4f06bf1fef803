"""How far a file is: what is told of it while it is written, and of how it ended."""

from collections.abc import Iterator

import pytest

from receiver.admin.progress import Progress, Standing, State
from receiver.store.errors import Unavailable
from receiver.store.rate_windows import RateWindows


@pytest.fixture
def windows(database_url: str) -> Iterator[RateWindows]:
    opened = RateWindows(database_url)
    yield opened
    opened.close()


def test_rows_are_told_while_they_are_written_and_that_all_were(windows: RateWindows) -> None:
    writing, asking = Progress(windows, "a"), Progress(windows, "a")
    assert asking.standing() == Standing(State.UNKNOWN)
    writing.begin(1_200)
    assert asking.standing() == Standing(State.RUNNING, 0, 1_200)
    seen = [asking.standing().rows for number in writing.counted(range(1_200)) if number % 400 == 399]
    assert seen == [0, 500, 1_000]
    assert b"".join(writing.watched([b"a", b"b"])) == b"ab"
    assert asking.standing() == Standing(State.DONE, 1_200, 1_200)
    assert Progress(windows, "b").standing() == Standing(State.UNKNOWN), "another file's"


def test_a_file_that_either_side_breaks_off_is_told_as_such(windows: RateWindows) -> None:
    def failing() -> Iterator[bytes]:
        yield b"a"
        raise Unavailable("gone")

    lost, left = Progress(windows, "lost"), Progress(windows, "left")
    for each in (lost, left):
        each.begin(None)
    with pytest.raises(Unavailable):
        list(lost.watched(failing()))
    reading = left.watched(iter([b"a", b"b"]))
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert lost.standing().state == left.standing().state == State.BROKEN


def test_a_file_is_written_though_nothing_can_be_told_of_it(
    windows: RateWindows, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*_: object) -> None:
        raise Unavailable("gone")

    monkeypatch.setattr(windows, "count", gone)
    progress = Progress(windows, "a")
    progress.begin(3)
    assert list(progress.counted(range(3))) == [0, 1, 2]
    assert list(progress.watched([b"a"])) == [b"a"]
    assert caplog.text.count("can't be told") == 1
