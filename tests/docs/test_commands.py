"""Whatever a page tells people to type is there: commands with their options, tasks of make, shells' syntax."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from receiver import cli
from tests.docs.pages import PAGES, ROOT, Block, blocks, inline, named, of_receiver

BLOCKS = [block for page in PAGES for block in blocks(page)]


def test_there_are_commands_on_the_pages() -> None:
    assert len([block for block in BLOCKS if block.why_not is None]) > 40


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_command_and_option_is_there(path: Path) -> None:
    wrong = []
    for block in blocks(path):
        for command in block.commands:
            wrong += [f"{block}: {what}" for args in of_receiver(command) if (what := problem(args))]
    for command in inline(path):
        said = command.replace("…", "")
        wrong += [f"{command}: {what}" for args in of_receiver(said) if (what := problem(args, is_whole=False))]
    assert wrong == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["optouts", "lift", "13900000001", "--reason", "x", "--actor", "li"], None),
        (["optouts", "lif"], "no command lif"),
        (["optouts", "lift", "13900000001", "--why", "x"], "No such option '--why'"),
        (["optouts", "lift", "13900000001"], "needs --reason"),
        (["stats", "--by", "year"], "--by is not year"),
        (["doctor", "now"], "takes no now"),
    ],
)
def test_what_is_not_there_is_found(args: list[str], said: str | None) -> None:
    found = problem(args)
    assert found is None if said is None else (found or "").startswith(said)


def test_every_task_of_make_is_there() -> None:
    tasks = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        lines = [line for block in blocks(page) for line in block.text.splitlines()]
        told = [re.match(r"make ([a-z -]+)", line) for line in lines]
        told += [re.match(r"make ([a-z -]+)", line) for line in re.findall(r"`([^`\n]+)`", page.read_text())]
        assert {task for found in told if found for task in found[1].split()} <= tasks, named(page)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.why_not], ids=str)
def test_what_is_not_run_is_good_syntax(block: Block) -> None:
    checked = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def problem(args: list[str], *, is_whole: bool = True) -> str | None:
    """What is wrong with ``receiver`` and ``args``; amid a sentence, not whole, what is required may be left out."""
    context = click.Context(cli.command, info_name="receiver")
    left = list(args)
    while isinstance(context.command, click.Group) and left and not left[0].startswith("-"):
        command = context.command.get_command(context, left[0])
        if command is None:
            return f"no command {left[0]}"
        context = click.Context(command, info_name=left.pop(0), parent=context)
    try:
        given, extra, _ = context.command.make_parser(context).parse_args(left)
    except click.UsageError as wrong:
        return wrong.format_message()
    if extra:
        return f"takes no {' '.join(extra)}"
    for parameter in context.command.params:
        value = given.get(parameter.name or "")
        is_needed = parameter.required and parameter.to_info_dict()["default"] is None
        if value is None and is_needed and is_whole and "--help" not in args:
            return f"needs {parameter.opts[0]}"
        chosen = value if isinstance(value, str) and not value.isupper() else None
        if chosen and isinstance(parameter.type, click.Choice) and chosen not in parameter.type.choices:
            return f"{parameter.opts[0]} is not {chosen}"
    return None
