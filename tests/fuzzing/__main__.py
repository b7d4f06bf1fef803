"""Fuzzes each target for its share of the time, beginning from its corpus: ``make fuzz``.

What reaches new code is kept in ``.fuzz/NAME``, what breaks a rule in ``.fuzz/NAME-broken-…``: put such a file into
``tests/corpus/NAME`` with the mend, and some of the others now and then, the short ones.
"""

import subprocess
import sys
from pathlib import Path

import click

from tests.fuzzing.targets import TARGETS

CORPUS, FOUND = Path(__file__).parents[1] / "corpus", Path(".fuzz")
LONGEST = {"parse": 400, "charset": 60, "request": 600, "identity": 60}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(TARGETS)))
@click.option("--seconds", type=click.IntRange(min=4), default=3_600, show_default=True, help="In all.")
def main(names: tuple[str, ...], seconds: int) -> None:
    """Look for bytes that break a rule of NAMES, all of them by default."""
    broken = []
    for name in names or TARGETS:
        found = FOUND / name
        found.mkdir(parents=True, exist_ok=True)
        click.echo(f"--- {name}")
        share = seconds // len(names or TARGETS)
        longest, artifacts = f"-max_len={LONGEST[name]}", f"-artifact_prefix={FOUND}/{name}-broken-"
        ended = _run(
            name, f"-max_total_time={share}", "-timeout=10", "-verbosity=1", longest, artifacts, found, CORPUS / name
        )
        if ended:
            broken.append(name)
    click.echo(f"broken: {', '.join(broken)}; the bytes are in {FOUND}" if broken else "nothing broke")
    sys.exit(bool(broken))


def _run(name: str, *arguments: object) -> int:
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzzing.one", name, *map(str, arguments)], check=False
    ).returncode


if __name__ == "__main__":
    main()
