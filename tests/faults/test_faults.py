"""Each fault under load: every ``0`` is stored once, every 0000 in force, and the receiver goes on by itself."""

from collections.abc import Iterator

import pytest

from tests.faults.faults import FAULTS, Injected
from tests.faults.scene import Engine, Felt, Scene
from tests.postgres import Postgres

pytestmark = pytest.mark.slow  # the whole file: it is begun with

ENGINES: tuple[Engine, ...] = ("sqlite", "postgresql")
CASES = [
    pytest.param(engine, fault, id=f"{engine}-{fault.name}")
    for engine in ENGINES
    for fault in FAULTS
    if engine in fault.engines
]


@pytest.fixture(scope="module")
def scenes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Engine, Scene]]:
    """A receiver on each engine, one after the other: what one fault leaves behind the next one meets."""
    postgres: Postgres = request.getfixturevalue("postgres")
    with (
        Scene("sqlite", tmp_path_factory.mktemp("sqlite")) as on_sqlite,
        Scene("postgresql", tmp_path_factory.mktemp("postgresql"), postgres) as on_postgresql,
    ):
        yield {"sqlite": on_sqlite, "postgresql": on_postgresql}


@pytest.mark.parametrize(("engine", "fault"), CASES)
def test_every_zero_is_stored_once_and_it_goes_on_by_itself(
    scenes: dict[Engine, Scene], engine: Engine, fault: Injected
) -> None:
    scene = scenes[engine]
    episode = scene.suffer(fault, seconds=1.5 if fault.felt is Felt.HELD_UP else 0.0)

    assert episode.acknowledged > 0
    assert all(audit.ok for audit in episode.audits), episode.audits
    assert set(episode.refused) <= ({"-4"} if fault.felt is Felt.REFUSED else set())
    assert scene.verified().ok
