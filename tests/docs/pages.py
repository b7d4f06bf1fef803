"""The pages that are written for people, and the commands in them.

A block that can't be run says why, in a comment that no reader sees, before it: ``<!-- not run: needs systemd -->``.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why>.+?) -->\n+)?^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```", re.M | re.S
)
_INLINE = re.compile(r"(?<!`)`(receiver [^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """Commands as a page shows them, and why they are not run where they are not."""

    page: Path
    line: int
    text: str
    why_not: str | None

    @property
    def commands(self) -> list[str]:
        """One for each line, or for lines of which all but the last end with a backslash."""
        joined = re.findall(r"(?:.*\\\n)*.+", self.text)
        return [command for command in joined if not command.startswith("#")]

    def __str__(self) -> str:
        return f"{named(self.page)}:{self.line}"


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """Those of commands for a shell, in their order."""
    said = page.read_text()
    return [
        Block(page, said.count("\n", 0, found.start("text")) + 1, found["text"], found["why"])
        for found in _BLOCK.finditer(said)
        if found["language"] == "sh"
    ]


def inline(page: Path) -> list[str]:
    """Commands of ours amid the sentences."""
    return _INLINE.findall(_BLOCK.sub("", page.read_text()))


def of_receiver(command: str) -> Iterator[list[str]]:
    """The arguments of each ``receiver`` that a shell would start for ``command``."""
    words = shlex.shlex(command, posix=True, punctuation_chars="|;&<>()")
    words.whitespace_split = True
    segment: list[str] = []
    for word in [*words, ";"]:
        if word[0] not in "|;&<>()":
            segment.append(word)
            continue
        while segment and re.match(r"\w+=", segment[0]):
            del segment[0]
        if segment[:3] == ["docker", "compose", "exec"]:
            del segment[:4]
        if segment and segment[0].split("/")[-1] == "receiver":
            yield segment[1:]
        segment = []
