"""``receiver manual``: one manual page of all commands, made from what ``--help`` says."""

import inspect
from collections.abc import Iterator

import click

from receiver import build

_SECTIONS = """\
.SH FILES
.TP
.I .env
Settings, as lines RECEIVER_NAME=value, in the folder that the receiver is started from.
.TP
.I var/
Database, spool and what else is kept, unless RECEIVER_DATA_DIR and RECEIVER_DATABASE_URL say otherwise.
.SH ENVIRONMENT
Settings are the variables RECEIVER_NAME, which
.B receiver config
lists with their values and defaults.
.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
Refused, or not found.
.TP
.B 2
Wrong usage.
.TP
.B 3
A part that is needed is down: the database, the gateway.
"""


@click.command("manual", short_help="Print the manual page of all commands.")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Print the manual page of all commands, for man.

    \b
    receiver manual | man -l -
    """
    click.echo("\n".join(_page(ctx.find_root().command)))


def _page(root: click.Command) -> Iterator[str]:
    assert isinstance(root, click.Group)
    yield f'.TH RECEIVER 1 "" "receiver {build.VERSION}" "User Commands"'
    yield ".ad l"
    yield ".SH NAME"
    yield rf"receiver \- {_text(inspect.cleandoc(root.help or '').splitlines()[0]).rstrip('.')}"
    yield ".SH SYNOPSIS"
    yield ".B receiver"
    yield r".I command \fR[\fIargument\fR ...]"
    yield ".SH DESCRIPTION"
    yield from _paragraphs(root)
    yield ".SH COMMANDS"
    for context in every_command(click.Context(root, info_name="receiver")):
        yield from _entry(context)
    yield _SECTIONS.rstrip("\n")


def every_command(group: click.Context) -> Iterator[click.Context]:
    """Each command that does something, in the order of the help."""
    assert isinstance(group.command, click.Group)
    for name in group.command.list_commands(group):
        command = group.command.get_command(group, name)
        if command is None or command.hidden:
            continue
        context = click.Context(command, info_name=name, parent=group)
        if isinstance(command, click.Group):
            yield from every_command(context)
        else:
            yield context


def _entry(context: click.Context) -> Iterator[str]:
    command = context.command
    yield f".SS {_text(context.command_path)} {_text(' '.join(command.collect_usage_pieces(context)))}"
    yield from _paragraphs(command)
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and "--help" not in parameter.opts:
            flags, meaning = record
            yield ".TP"
            yield rf"\fB{_text(flags)}\fR"
            yield _text(" ".join(meaning.split())) or r"\&"


def _paragraphs(command: click.Command) -> Iterator[str]:
    """What the help says; a paragraph that begins with a backspace keeps its lines."""
    said = inspect.cleandoc(command.help or "").partition("\f")[0]
    for paragraph in said.split("\n\n"):
        keeps_lines = paragraph.startswith("\b")
        yield ".PP"
        if keeps_lines:
            yield ".nf"
        yield from map(_text, paragraph.removeprefix("\b").strip("\n").splitlines())
        if keeps_lines:
            yield ".fi"


def _text(said: str) -> str:
    """``said`` as roff has it: nothing in it is an instruction."""
    escaped = said.replace("\\", r"\e").replace("-", r"\-").replace("\x08", "")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped
