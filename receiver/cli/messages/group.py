"""``receiver messages``: the replies that came in."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from receiver.access import Action
from receiver.cli import export
from receiver.cli.acts import own_act
from receiver.cli.database import opened, settings
from receiver.cli.options import ID, after_option, limit_option, reveal_option
from receiver.cli.output import (
    Column,
    Format,
    Row,
    details,
    escaped,
    format_option,
    hint,
    masked,
    render,
    terminal_safe,
)
from receiver.export import FORMATS
from receiver.store import messages, readings
from receiver.vocabulary import Charset, Kind
from receiver.vocabulary.ledger import timestamp
from receiver.vocabulary.wire import read_text, unescape, visible

from .erase import erase_
from .filters import Asked, message_filters
from .redecode import redecode


def _notes_style(notes: str) -> str:
    return "bold red" if Kind.UNSUBSCRIBE in notes else "yellow"


_TABLE = (
    Column("received_at", "received (UTC+8)", fixed=True),
    Column("src", "from", fixed=True),
    Column("dst", "to"),
    Column("text", "text", widest=True),
    Column("notes", "notes", style=_notes_style, beneath=""),
    Column("id", "id", style=lambda _: "dim", fixed=True, beneath=""),
)
_FIELDS = tuple(map(Column, messages.FIELDS))
_DETAILS = (
    *_FIELDS,
    *map(Column, ("peer", "raw", "raw_hex", "charset_decision", "as_utf_8", "as_gb18030")),
    Column("earlier_readings", show=lambda readings: "\n".join(map(_told, readings))),
)


@click.group("messages")
def command() -> None:
    """The replies that came in: list, look into, export, read again in another charset, erase on request.

    \b
    Examples:
      receiver messages list --src 13912345678 --since 2025-06-01
      receiver messages list --kind unsubscribe --reveal
      receiver messages show 01973a5e-7d1c-7b3a-9c11-2f0c8f9a4d21
      receiver messages export --format xlsx -o june.xlsx --since 2025-06-01 --until 2025-07-01
      receiver messages redecode --charset gb18030 --since 2025-06-01 --dry-run
      receiver messages erase 13912345678 --reason "asked by letter" --actor "Li Na"
    """


for _command in (redecode, erase_):
    command.add_command(_command)


@command.command("list")
@message_filters
@limit_option
@after_option
@reveal_option
@format_option
def list_(limit: int, after: UUID | None, reveal: bool, chosen_format: Format, **filters: Any) -> None:
    """List replies, newest first, with phones masked unless --reveal.

    Tables show China time (UTC+8); json and csv have RFC 3339 times in UTC and the API's field names. A reply that was
    replayed from quarantine stands where it belongs by the time it came.

    \b
    Examples:
      receiver messages list
      receiver messages list --text 退订 --since 2025-06-01T08:00
      receiver messages list --format csv --limit 500 > last.csv
    """
    chosen = settings()
    with opened(chosen) as store:
        with store.reading() as connection:
            found = messages.page(connection, Asked(**filters).filter(chosen), older_than=after, limit=limit + 1)
        if reveal:
            own_act(Action.MESSAGES_READ).reveal(store)
    shown = found[:limit]
    rows: Sequence[Row] = shown if reveal else [masked(row, "src", "src_wire") for row in shown]
    if chosen_format == "table":
        render([{**row, "notes": _notes(row)} for row in rows], _TABLE, chosen_format)
    else:
        render(rows, _FIELDS, chosen_format)
    if len(found) > limit:
        hint(f"There are more. Continue with: --after {shown[-1]['id']}")


@command.command("show")
@click.argument("message_id", type=ID, metavar="ID")
@reveal_option
@format_option
def show(message_id: UUID, reveal: bool, chosen_format: Format) -> None:
    """Show one reply: every field, its bytes as they came, how its charset was decided, and how it was read before."""
    with opened(settings()) as store:
        with store.reading() as connection:
            found = messages.get(connection, message_id)
            earlier = readings.of_message(connection, message_id)
        if reveal:
            own_act(Action.MESSAGES_READ).reveal(store)
    if found is None:
        raise click.ClickException(f'no message has the id {message_id}: see "receiver messages list"')
    row = {
        **found,
        **_read_again(found["raw"], Charset(found["charset"]), found["charset_certain"]),
        "earlier_readings": [{**_picked(each), "at": timestamp(each["at"])} for each in earlier],
    }
    details(row if reveal else masked(row, "src", "src_wire"), _DETAILS, chosen_format)


@command.command("export")
@click.option("--format", "kind_of_file", type=click.Choice(list(FORMATS)), default="jsonl", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; standard output without it.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@message_filters
def export_(kind_of_file: str, output: Path | None, force: bool, **filters: Any) -> None:
    """Export replies whole, newest first: the API's field names, times in UTC, and phones never masked.

    A file is complete or not there at all, and readable by you alone.

    csv is UTF-8 with a byte order mark. A cell that a spreadsheet could take for a formula (it begins with = + - @, a
    tab or a line end, or is full-width) gets a leading apostrophe, and so does one that begins with an apostrophe, and
    whatever begins so behind a semicolon, a tab or a line end: take one away to have the text again. Phones like
    +8613912345678 are left as they are. In xlsx all cells are text.

    \b
    Examples:
      receiver messages export --since 2025-06-01 > june.jsonl
      receiver messages export --format xlsx -o replies.xlsx --kind reply
      receiver messages export --format csv -o replies.csv --no-duplicates --force
    """
    if kind_of_file == "xlsx" and output is None:
        raise click.UsageError("xlsx is for a file: say which with -o FILE")
    chosen = settings()
    wanted = Asked(**filters).filter(chosen)
    with opened(chosen) as store:
        own_act(Action.MESSAGES_EXPORTED, format=kind_of_file).record(store)
        with store.reading() as connection, closing(messages.stream(connection, wanted)) as rows:
            export.write(rows, _FIELDS, kind_of_file, output, force=force)


def _notes(row: Row) -> str:
    notes = {
        Kind.UNSUBSCRIBE: row["kind"] == Kind.UNSUBSCRIBE,
        "duplicate": row["duplicate_of"] is not None,
        "charset in doubt": not row["charset_certain"],
    }
    return ", ".join(note for note, applies in notes.items() if applies)


def _picked(reading: Row) -> dict[str, Any]:
    return {name: reading[name] for name in readings.FIELDS}


def _told(reading: Row) -> str:
    doubt = "" if reading["charset_certain"] else " in doubt"
    said = terminal_safe(reading["text"])
    return (
        f"until {reading['at']}, changed by {reading['actor']}: {reading['kind']}, {reading['charset']}{doubt}: {said}"
    )


def _read_again(raw: bytes, charset: Charset, certain: bool) -> dict[str, Any]:
    utf_8, gb18030 = (read_text(raw, reading) for reading in (Charset.UTF_8, Charset.GB18030))
    fits = [name for name, read in ((Charset.UTF_8, utf_8), (Charset.GB18030, gb18030)) if read.certain]
    if unescape(raw).isascii():
        why = "ASCII alone, which reads the same in every charset"
    elif not fits:
        why = "valid in neither charset: what could not be read is U+FFFD"
    elif fits == [charset]:
        why = f"valid in {charset} alone"
    elif charset not in fits:
        why = f"valid in {fits[0]} alone, but RECEIVER_CHARSET was {charset} when it came"
    else:
        why = f"valid in both charsets; {charset} was taken {'as certain' if certain else 'as the likelier, in doubt'}"
    return {
        "raw": escaped(raw),
        "raw_hex": raw.hex(" "),
        "charset_decision": why,
        "as_utf_8": visible(utf_8.text) if utf_8.certain else None,
        "as_gb18030": visible(gb18030.text) if gb18030.certain else None,
    }
