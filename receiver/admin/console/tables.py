"""Tables whose cells know their column, so that where the screen is narrow each row can be a card that says it."""

import re

from markupsafe import Markup

# Whatever comes from outside is escaped by now: these are the template's own tags.
_HEADING = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
_ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
_CELL = re.compile(r"<(t[dh]\b[^>]*)>")
_TAG = re.compile(r"<[^>]+>")
_UNSEEN = 'class="unseen"'


def labelled(table: Markup) -> Markup:
    """The same table, with the name of its column in each cell's ``data-label``; a column that shows none has none."""
    head, end, body = str(table).partition("</thead>")
    names = ["" if _UNSEEN in heading else _text(heading) for heading in _HEADING.findall(head)]
    rows = _ROW.sub(lambda row: _row(row[0], names), body)
    # Of markup alone: nothing is taken for such here that was not before.
    return Markup(head + end + rows)  # nosec B704


def _row(row: str, names: list[str]) -> str:
    waiting = iter(names)
    return _CELL.sub(lambda cell: f'<{cell[1]} data-label="{next(waiting, "")}">', row)


def _text(heading: str) -> str:
    return " ".join(_TAG.sub("", heading).split()).replace('"', "&quot;")
