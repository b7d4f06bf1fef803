"""Every command of every page is typed, page by page and in order, where a receiver and the gateway's stand-in run.

It must end with status 0, or with one that its comment tells of. What is left out, and why, is in ``LEFT_OUT`` and,
for a whole block, beside it on the page. (``test_commands.py`` looks at all of them.)
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, blocks, named, of_receiver
from tests.docs.place import Place

pytestmark = [pytest.mark.docs, pytest.mark.timeout(300)]

LEFT_OUT = {
    r"make |RECEIVER_\w+=\S+ make ": "CI runs the tasks themselves",
    r"\S*receiver (serve|demo|worker|simulate gateway)( --.*)?\s*(#.*)?$": "goes on until Ctrl-C; here serve does",
    r"\S*receiver gateway poll --follow": "goes on until Ctrl-C: tests/cli/test_gateway_poll.py",
    r"\S*receiver gateway password\b": "asks on a terminal: tests/cli/test_gateway.py",
    r"curl .*(\$API|/api/v1/)": "called in tests/admin/api/test_reference.py, with a key for it, on both databases",
    r"openapi-python-client ": "run in tests/admin/api/test_generated_client.py",
}
# Pages that say in another language what one of the others says, with the same commands.
TWINS = {path: path.with_name(path.name.replace(".zh", "").replace("-CN", "")) for path in PAGES if ".zh" in path.name}


def typed(path: Path) -> list[str]:
    """What is to be typed of a page."""
    commands = [command for block in blocks(path) if block.why_not is None for command in block.commands]
    return [command for command in commands if not any(re.match(left, command) for left in LEFT_OUT)]


RUN = [path for path in PAGES if path not in TWINS and typed(path)]
RUNBOOK = [path for path in RUN if path.parent.name == "runbook"]
GUIDES = [path for path in RUN if path not in RUNBOOK]


@pytest.fixture
def place(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Place]:
    with Place(tmp_path, migrated_sqlite) as place:
        yield place


@pytest.mark.parametrize("path", GUIDES, ids=named)
def test_what_a_page_says_can_be_typed(path: Path, place: Place) -> None:
    type_all([path], place)


def test_what_the_runbook_says_can_be_typed(place: Place) -> None:
    type_all(RUNBOOK, place)


def type_all(paths: list[Path], place: Place) -> None:
    for path in paths:
        commands = typed(path)
        damaged = next((at for at, command in enumerate(commands) if "spool damaged" in command), len(commands))
        ended = place.type(commands[:damaged])
        if damaged < len(commands):
            place.damage()
            ended += place.type(commands[damaged:])
        wrong = [each for each in ended if each.status and not tells_of(each.command, each.status)]
        assert wrong == [], named(path)


def tells_of(command: str, status: int) -> bool:
    """Whether the comment behind ``command`` says that it may end so."""
    comment = command.partition("#")[2]
    return re.search(rf"(?:status|状态)\D{{0,6}}{status}\b", comment) is not None


@pytest.mark.parametrize(("path", "twin"), TWINS.items(), ids=lambda path: named(path))
def test_pages_in_two_languages_have_the_same_commands(path: Path, twin: Path) -> None:
    assert shapes(path) == shapes(twin)


def shapes(path: Path) -> list[list[str]]:
    """The commands of ours on a page but for what is another in each language: values, and words of people."""
    found = [args for block in blocks(path) for command in block.commands for args in of_receiver(command)]
    return [[word for word in args if re.fullmatch(r"--?[a-z-]+|[a-z]+", word)] for args in found]


def test_nothing_is_left_out_that_is_not_there() -> None:
    every = [command for path in PAGES for block in blocks(path) for command in block.commands]
    for left in LEFT_OUT:
        assert any(re.match(left, command) for command in every), left
