"""What is told of each part: that it is well, or what is wrong with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.config import Settings
from receiver.intake.spool import spool_of
from receiver.store.errors import Unavailable
from receiver.store.store import Store
from receiver.vocabulary import new_id
from receiver.worker.health import Level, Says, health, judged
from receiver.worker.lease import Leases
from tests.intake.replies import reply

GB = 1_000_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, gateway_name="demo", gateway_password="demo123", poll=True)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store(settings.url, pooled=False)
    opened.upgrade("head")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("free", "share", "says"),
    [
        (500 * GB, 0.5, Says.DISK_ROOM), (50 * GB, 0.01, Says.DISK_ROOM), (GB, 0.2, Says.DISK_ROOM),
        (GB, 0.09, Says.DISK_LOW), (GB, 0.019, Says.DISK_FULL), (GB // 10, 0.05, Says.DISK_FULL),
        (GB // 10, 0.5, Says.DISK_ROOM), (0, 0.0, Says.DISK_FULL),
    ],
)  # fmt: skip
def test_a_disk_is_judged_by_what_is_left_and_by_its_size(free: int, share: float, says: Says) -> None:
    assert judged(free, share) is says


def test_a_new_installation_waits_for_its_worker(settings: Settings, store: Store) -> None:
    found = health(settings, store)
    assert [found[place].says for place in (0, 2, 3)] == [Says.DATABASE_WRITES, Says.PUSHED_NONE, Says.SPOOL_EMPTY]
    assert {each.task: each.says for each in found if each.task} == dict.fromkeys(
        ["search-index", "counts", "ledger", "poll:demo", "send"], Says.TASK_NEVER
    )


def test_tasks_are_told_by_how_they_stand(settings: Settings, store: Store) -> None:
    leases = Leases(store)
    for name, error in (
        ("search-index", None),
        ("counts", None),
        ("ledger", None),
        ("send", "Refusal: 6013"),
        ("poll:other", None),
    ):
        lease = leases.claim(name, leases.look(name), 60)
        assert lease is not None
        lease.finish(60, error=error)
    stuck = leases.claim("poll:demo", leases.look("poll:demo"), 0)
    assert stuck is not None
    told = {each.task: (each.says, each.level) for each in health(settings, store) if each.task}
    assert told == {
        "search-index": (Says.TASK_WELL, Level.GOOD),
        "counts": (Says.TASK_WELL, Level.GOOD),
        "ledger": (Says.TASK_WELL, Level.GOOD),
        "send": (Says.TASK_FAILING, Level.BAD),
        "poll:demo": (Says.TASK_STUCK, Level.BAD),
    }, "what is off is not told of"


def test_what_waits_and_what_can_not_be_read_is_told(settings: Settings, store: Store) -> None:
    folder = settings.data_dir / "spool" / "poll"
    folder.mkdir(parents=True)
    (folder / f"{new_id()}.reply").write_bytes(b"x")
    assert Says.SPOOL_WAITING in [each.says for each in health(settings, store)]
    (folder / f"{new_id()}.corrupt").write_bytes(b"x")
    assert Says.SPOOL_CORRUPT in [each.says for each in health(settings, store)]
    spool = spool_of(settings)
    spool.keep([reply("a")])
    assert Says.PUSHED_WAITING in [each.says for each in health(settings, store)]
    spool.seal()
    (path,) = spool.waiting()
    path.rename(path.with_suffix(".damaged"))
    assert Says.PUSHED_DAMAGED in [each.says for each in health(settings, store)]
    gone = settings.model_copy(update={"data_dir": settings.data_dir / "nowhere"})
    assert Says.DISK_UNKNOWN in [each.says for each in health(gone, store)]


def test_a_database_that_takes_no_writes_is_told(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_waits: float) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(store, "probe", full)
    found = health(settings, store)[0]
    assert (found.says, found.level, found.values["error"]) == (Says.DATABASE_REFUSES, Level.BAD, "the disk is full")
