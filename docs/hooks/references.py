"""What the code says of itself, as Markdown: commands with their options, settings, the gateway's codes.

Each takes the page's language; what the code says in English alone is English in all of them.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from receiver import cli, config
from receiver.cli.manual import every_command
from receiver.gateway.client import meaning_of, refusals

CHINESE_README = Path(__file__).parents[2] / "README.zh-CN.md"


def commands(_language: str) -> str:
    """A section for each command, under one for its group."""
    lines: list[str] = []
    group = None
    for context in every_command(click.Context(cli.command, info_name="receiver")):
        assert context.parent is not None
        if context.parent.command is not cli.command and context.parent.command_path != group:
            group = context.parent.command_path
            lines += [f"## {group}", "", *_said(context.parent.command)]
        lines += [f"{'##' if context.parent.command is cli.command else '###'} {context.command_path}", ""]
        usage = " ".join(context.command.collect_usage_pieces(context))
        lines += ["```text", f"{context.command_path} {usage}", "```", "", *_said(context.command), *_options(context)]
    return "\n".join(lines)


def settings(language: str) -> str:
    """A table of every setting, its default and its meaning; in Chinese the one that the README gives."""
    in_chinese = _meanings(CHINESE_README.read_text()) if language == "zh" else {}
    heading = "| 设置 | 默认值 | 含义 |" if language == "zh" else "| setting | default | meaning |"
    lines = [heading, "| --- | --- | --- |"]
    for name, field in config.Settings.model_fields.items():
        variable = config.PREFIX + name.upper()
        default = ",".join(map(str, field.default)) if isinstance(field.default, list) else field.default
        shown = {None: "", False: "`off`", "": ""}.get(default, f"`{default}`")
        meaning = in_chinese[name.upper()] if language == "zh" else _plain(field.description or "")
        if name.upper() in config.SECRETS and language != "zh":
            meaning += f"; or its file: `{variable}_FILE`"
        lines.append(f"| `{variable}` | {shown} | {meaning} |")
    return "\n".join(lines)


def _meanings(readme: str) -> dict[str, str]:
    without_links = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", readme)
    rows = re.findall(r"^\| (`[A-Z].*?) \| .*? \| (.*) \|$", without_links, re.M)
    return {name: meaning for names, meaning in rows for name in re.findall(r"`(\w+)`", names)}


def codes(language: str) -> str:
    """A table of the gateway's error codes, what each means, and what helps."""
    lines = ["| | | |", "| --- | --- | --- |"]
    for code in sorted(refusals.REFUSALS):
        told = meaning_of(code)
        meaning = (told.chinese, told.advice_chinese) if language == "zh" else (told.english, told.advice_english)
        lines.append(f"| {code} | {' | '.join(map(_plain, meaning))} |")
    return "\n".join(lines)


def _said(command: click.Command) -> Iterator[str]:
    """What the help says; a paragraph that begins with a backspace keeps its lines."""
    for paragraph in inspect.cleandoc(command.help or "").partition("\f")[0].split("\n\n"):
        if paragraph.startswith("\b"):
            yield from ("```text", paragraph.removeprefix("\b").strip("\n"), "```", "")
        else:
            yield from (_plain(" ".join(paragraph.split())), "")


def _options(context: click.Context) -> Iterator[str]:
    records = [
        record
        for parameter in context.command.get_params(context)
        if "--help" not in parameter.opts and (record := parameter.get_help_record(context))
    ]
    if records:
        yield from ("| option | |", "| --- | --- |")
        for flags, meaning in records:
            yield f"| <code>{_plain(flags)}</code> | {_plain(' '.join(meaning.split()))} |"
        yield ""


def _plain(said: str) -> str:
    """``said`` where nothing in it is Markdown."""
    return re.sub(r"[\\`*_\[\]<>|&]", lambda special: f"&#{ord(special[0])};", said)
