"""What installs beside the command: completion in a real shell, and a manual page that man can set."""

import subprocess
from pathlib import Path

import click
import pytest

from receiver import cli
from receiver.cli.manual import every_command
from tests.cli.conftest import Run

BIN = Path(__file__).parents[2] / ".venv/bin"


@pytest.mark.parametrize(
    ("typed", "offered"), [(["receiver", "opto"], "optouts"), (["receiver", "serve", "--role", "call"], "callback")]
)
def test_bash_completes_commands_and_values(typed: list[str], offered: str, run: Run, tmp_path: Path) -> None:
    script = tmp_path / "receiver"
    script.write_text(run("completion", "bash").out)
    words = " ".join(f"'{word}'" for word in typed)
    state = f"COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}"
    ask = f'. {script}; {state}; _receiver_completion receiver; echo "${{COMPREPLY[@]}}"'
    told = subprocess.run(
        ["bash", "-c", ask], env={"PATH": f"{BIN}:/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [offered]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_theirs(shell: str, run: Run) -> None:
    assert "_RECEIVER_COMPLETE" in run("completion", shell).out


def test_the_manual_has_every_command_and_option(run: Run) -> None:
    page = run("manual").out.replace(r"\-", "-")
    for context in every_command(click.Context(cli.command, info_name="receiver")):
        _, _, entry = page.partition(f"\n.SS {context.command_path} ")
        assert entry, context.command_path
        for parameter in context.command.params:
            assert max(parameter.opts, key=len) in entry.partition("\n.SS ")[0] or not parameter.opts[0].startswith("-")
