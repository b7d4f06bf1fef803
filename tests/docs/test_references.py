"""The references that are made from the code have all that there is, in each language."""

import click
import pytest

from docs.hooks.references import codes, commands, settings
from receiver import cli
from receiver.cli.manual import every_command
from receiver.config import PREFIX, Settings
from receiver.gateway.client import refusals


def test_every_command_has_a_section_with_each_of_its_options() -> None:
    made = commands("en")
    for context in every_command(click.Context(cli.command, info_name="receiver")):
        _, _, section = made.partition(f"# {context.command_path}\n")
        assert section, context.command_path
        for parameter in context.command.params:
            if isinstance(parameter, click.Option):
                assert max(parameter.opts, key=len) in section.partition("\n## ")[0], (context.command_path, parameter)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_setting_and_code_has_its_line(language: str) -> None:
    lines = settings(language).splitlines()
    assert [line.split("`")[1] for line in lines[2:]] == [PREFIX + name.upper() for name in Settings.model_fields]
    told = codes(language).splitlines()
    assert [int(line.split()[1]) for line in told[2:]] == sorted(refusals.REFUSALS)
    assert any("一" <= character <= "鿿" for line in told for character in line) == (language == "zh")
