"""``receiver optouts import`` and ``export``: the register, by the list."""

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from receiver.cli import export, listed
from receiver.cli.acts import actor_option, reason_option, watched
from receiver.cli.database import opened, settings
from receiver.cli.output import Column, Format, format_option, render
from receiver.optout.export import Form, exported
from receiver.optout.imports import OptoutImport

_IMPORTED = (
    Column("rows", "rows"),
    Column("new", "opted out"),
    Column("already", "were already"),
    Column("rejected", "bad rows"),
    Column("rejected_file", "kept in"),
)


@click.command("import")
@listed.file_argument
@reason_option
@actor_option
@click.option("--column", default="phone", show_default=True, help="The heading of the column with the phones.")
@listed.skip_bad_option
@format_option
def import_(file: Path, reason: str, actor: str, column: str, skip_bad: bool, chosen_format: Format) -> None:
    """Opt out every phone of FILE: CSV with a heading, or one phone a line.

    The phones are in the column "phone". A column "reason" has precedence over --reason, and "since" (2025-06-03 or
    2025-06-03T17:00, China time unless it says) says when it was wished: that goes into the ledger, while the opt-out
    is in force from now. Other columns are left alone. UTF-8 or GB18030; commas, semicolons or tabs.

    First the whole file is checked. Bad rows are kept in FILE.rejected.csv, with their line and what is wrong, and then
    nothing is imported: correct them, or say --skip-bad. Where there are none, an earlier import's FILE.rejected.csv is
    removed. Exit status 1 if nothing was imported.

    Then the phones are opted out, a thousand at a time. If that is broken off, even by a power cut, run the same again:
    it goes on, and nothing is done twice. Who is opted out already is passed over.

    \b
    Examples:
      receiver optouts import stops.csv --reason "hotline, June" --actor "Li Na"
      receiver optouts import 名单.csv --column 手机号 --reason "letters" --actor "Li Na" --skip-bad
    """
    chosen = settings()
    target = listed.beside(file)
    with opened(chosen) as store, listed.sheet(file, [column], plain=True) as sheet:
        wanted = OptoutImport(store, sheet, column=column, region=chosen.default_region, reason=reason, actor=actor)
        with watched("checking") as progress:
            bad = listed.keep(wanted.check(progress), sheet.columns or [column], target)
        if bad and not skip_bad:
            raise listed.refused(bad, wanted.rows, target)
        with watched("importing") as progress:
            taken = wanted.take(progress)
    if not bad:
        listed.forget(target)
    row = {"rows": wanted.rows, "new": taken.new, "already": taken.already, "rejected": bad}
    render([{**row, "rejected_file": str(target) if bad else None}], _IMPORTED, chosen_format)


@click.command("export")
@click.option("--format", "kind_of_file", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option(
    "--form",
    type=click.Choice([str(each) for each in Form]),
    default=str(Form.E164),
    show_default=True,
    help="+8613912345678, or as it is dialled at home: 13912345678.",
)
@click.option("--hashed", is_flag=True, help="SHA-256 in place of the phones.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; standard output without it.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@actor_option
def export_(kind_of_file: str, form: str, hashed: bool, output: Path | None, force: bool, actor: str) -> None:
    """Export the suppression list: every opt-out in force, with whole phones. The ledger keeps who did, and how many.

    That is written before the first phone leaves; an export that breaks off is in the ledger all the same. A file is
    complete or not there at all, and readable by you alone.

    In national form are the phones of RECEIVER_DEFAULT_REGION; all others keep their country code, since without it
    they could be somebody else's.

    --hashed gives SHA-256, in lower-case hexadecimal digits, of the bytes of the E.164 form: the plus and the digits in
    ASCII, with no line end. It lets others compare without reading, and hides nothing from whoever tries all numbers.

    \b
    Examples:
      receiver optouts export --actor "Li Na" -o blocked.csv
      receiver optouts export --actor "Li Na" --form national --format jsonl | ./load-it
      printf %s +8613912345678 | sha256sum   # what --hashed gives for this phone
    """
    if hashed and form != Form.E164:
        raise click.UsageError("--hashed is of the E.164 form: leave --form away")
    chosen = settings()
    columns = [Column(name) for name in ("phone_sha256" if hashed else "phone", "since", "source")]
    asked: dict[str, Any] = {"actor": actor, "kind_of_file": kind_of_file, "form": Form(form), "hashed": hashed}
    with opened(chosen) as store, closing(exported(store, region=chosen.default_region, **asked)) as rows:
        export.write(rows, columns, kind_of_file, output, force=force)
