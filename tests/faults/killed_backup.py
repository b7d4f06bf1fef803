"""``receiver db …`` in a process that is killed at a step of a backup or a restore, or has little room for its files.

python -m tests.faults.killed_backup kill before-name 1 -- db backup -o FILE
python -m tests.faults.killed_backup room 5000 0 -- db backup -o FILE
"""

import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from receiver import cli
from receiver.access import Act
from receiver.cli import whole_file
from receiver.store import migrate
from receiver.store.backup import content

IN_ROWS, BEFORE_NAME, AFTER_NAME = "in-rows", "before-name", "after-name"
SCHEMA_MADE, PUT, NOTED = "schema-made", "put", "noted"


def main(how: str, step: str, number: int) -> None:
    """Run the command line; the ``number``-th time that ``step`` is reached, strike."""
    if how == "room":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(step), int(step)))
        cli.main()
    reached: Counter[str] = Counter()

    def reach(this: str) -> None:
        reached[this] += 1
        if (this, reached[this]) == (step, number):
            os.kill(os.getpid(), signal.SIGKILL)

    _around(content, "lines", lambda: reach(IN_ROWS))
    _around(content, "put", after=lambda: reach(PUT))
    _around(migrate, "upgrade_within", after=lambda: reach(SCHEMA_MADE))
    _around(whole_file, "_publish", lambda: reach(BEFORE_NAME), lambda: reach(AFTER_NAME))
    _around(Act, "note", after=lambda: reach(NOTED))
    cli.main()


def _around(
    owner: Any, name: str, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None
) -> None:
    wrapped = getattr(owner, name)

    def run(*given: Any, **named: Any) -> Any:
        before()
        answer = wrapped(*given, **named)
        after()
        return answer

    setattr(owner, name, run)


if __name__ == "__main__":
    how, step, number, _, *arguments = sys.argv[1:]
    sys.argv = ["receiver", *arguments]
    main(how, step, int(number))
