"""Numbers that the processes of a role share: a line of cells for each of them, in memory and in no file.

A file that several processes map, as prometheus_client has it, ends a process by SIGBUS where the disk is full: the
receive path must outlive that. Counting is one addition to a cell of its own process's line, which no other writes;
whoever reads adds the lines up. Between the look-up and the store of such an addition CPython lets no other thread run.
"""

import mmap
from array import array
from collections.abc import Callable

_BYTES = 8


class Memory:
    """``width`` says how many cells a line has when lines are made."""

    def __init__(self, width: Callable[[], int]) -> None:
        self._width = width
        # Until a role shares it, and in whatever is no role: this process's alone, and longer with each declaration.
        self.cells: memoryview | array[int] = array("q")
        self._lines: list[memoryview] = []

    def grow(self, cells: int) -> None:
        """Have room for so many more cells. Before anything is shared."""
        assert isinstance(self.cells, array), "what is counted is declared before a role begins"
        self.cells.extend([0] * cells)

    def share(self, processes: int) -> None:
        """Begin anew, with a line for each of so many processes that will be forked; the first is this one's."""
        width = self._width()
        whole = memoryview(mmap.mmap(-1, max(1, processes * width * _BYTES))).cast("q")
        self._lines = [whole[number * width : (number + 1) * width] for number in range(processes)]
        self.cells = self._lines[0]

    def take(self, line: int) -> memoryview:
        """Count in this line from now on; what a process before has counted there stays."""
        taken = self._lines[line % len(self._lines)]
        self.cells = taken
        return taken

    def summed(self) -> list[int]:
        """Every cell, of all processes together."""
        if not self._lines:
            return list(self.cells)
        return [sum(cells) for cells in zip(*self._lines, strict=True)]
