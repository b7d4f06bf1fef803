"""``receiver optouts proof`` and ``check-proof``: for an auditor, what happened to one phone's opt-outs."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Literal

import click

from receiver.cli.database import opened, settings
from receiver.cli.output import terminal_safe
from receiver.cli.whole_file import replacing
from receiver.optout.proof import NothingKnown, prove
from receiver.optout.proof_check import check
from receiver.optout.proof_forms import rendered

from .head import METAVAR, Head

_LARGEST = 256 * 1024 * 1024


@click.command("proof")
@click.argument("phone")
@click.option(
    "--format",
    "chosen_format",
    type=click.Choice(["json", "pdf", "html"]),
    default="json",
    show_default=True,
    help="json for programs; pdf and html for people, with the same JSON inside.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file, not to standard output.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--head", type=Head(), metavar=METAVAR, help="Say if the ledger's head is not this one.")
def proof(
    phone: str, chosen_format: Literal["json", "pdf", "html"], output: Path | None, force: bool, head: str | None
) -> None:
    """Prove what became of PHONE, written in any way: when it said stop, in which bytes, and all that followed.

    The proof names the phone and its messages whole. Exit status 1 where nothing is known of the phone, or where what
    the database holds doesn't prove itself (the proof is written all the same).

    \b
    Examples:
      receiver optouts proof 13900001234 --format pdf -o proof.pdf
      receiver optouts proof "+86 139 0000 1234" -o proof.json && receiver optouts check-proof proof.json
    """
    if str(output) == "-":
        output = None
    if chosen_format == "pdf" and output is None and sys.stdout.isatty():
        raise click.UsageError("a PDF is not for a terminal: give it a file with -o proof.pdf")
    chosen = settings()
    try:
        with opened(chosen) as store:
            document = prove(store, phone, chosen.default_region)
    except NothingKnown as nothing:
        raise click.ClickException(str(nothing)) from nothing
    _write(rendered(document, chosen_format), output, force=force)
    outcome = check(document, head=head)
    _tell(outcome.problems)
    if not outcome.holds:
        raise click.ClickException('this proof does not hold: find out what was changed with "receiver optouts verify"')


@click.command("check-proof")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--head",
    type=Head(),
    metavar=METAVAR,
    help="The ledger's head as it was kept outside: the proof's must be the same.",
)
def check_proof(file: IO[bytes], head: str | None) -> None:
    """Check a proof in FILE (json, html or pdf; - reads standard input), without any database.

    Every hash is worked out anew. Exit status 1 when anything is wrong. In a page or a PDF the JSON inside it is what
    is checked: compare what is printed here with what you read there.

    No hash holds the head's number: the proof says it, and its path fits. Where you kept the number too, give both.

    \b
    Examples:
      receiver optouts check-proof proof.pdf
      receiver optouts check-proof proof.json --head 9af15b336e6a9619928537df30b2e6a2376569fcf9d7e773eccede65606529a0
      receiver optouts check-proof proof.json --head 42:9af15b336e6a9619928537df30b2e6a2376569fcf9d7e773eccede65606529a0
    """
    document = _read(file)
    outcome = check(document, head=head)
    notes = [f"note: {note}" for note in outcome.notes]
    if not outcome.holds:
        _tell([*outcome.problems, *notes])
        raise click.ClickException("this proof does not hold")
    state, at = document["state"], document["head"]
    since = f"opted out since {state['since']}" if state["opted_out"] else "not opted out"
    click.echo(terminal_safe(f"This proof holds. {document['phone']}: {since} (proof made at {document['made_at']})"))
    for entry in document["events"]:
        event = entry["event"]
        click.echo(terminal_safe(f"  event {event['sequence']} {event['at']} {event['type']} by {event['actor']}"))
    click.echo(f"  head  {at['sequence']} {at['hash']}\n  fingerprint {document['fingerprint']}")
    for note in notes:
        click.echo(terminal_safe(note))


def _write(content: bytes, output: Path | None, *, force: bool) -> None:
    try:
        if output is None:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
            return
        with replacing(output, force=force) as stream:
            stream.write(content)
    except BrokenPipeError:
        raise
    except OSError as error:
        target = output or "to standard output"
        raise click.ClickException(f"can't write {target}: {error.strerror or error}") from error


def _read(file: IO[bytes]) -> Any:
    try:
        content = file.read(_LARGEST + 1)
    except OSError as error:
        raise click.ClickException(f"can't read {file.name}: {error.strerror or error}") from error
    text: str | None
    if len(content) > _LARGEST:
        raise click.ClickException("this file is too large for a proof")
    if content.startswith(b"%PDF-"):
        from receiver.optout.proof_pdf import attached_to_pdf

        text = attached_to_pdf(content)
    else:
        text = content.decode("utf-8-sig", "replace")
        if text.lstrip()[:1] == "<":
            from receiver.optout.proof_page import embedded_in_page

            text = embedded_in_page(text)
    if text is None:
        raise click.ClickException("there is no proof inside this file: a page or a PDF must be as it was made")
    try:
        return json.loads(text, object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError) as wrong:
        raise click.ClickException(f"this file is no proof: {wrong}") from wrong


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two members with one name, one program reads the first, another the last.
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("it says something twice")
    return made


def _tell(problems: Iterable[str]) -> None:
    for problem in problems:
        click.echo(terminal_safe(problem), err=True)
