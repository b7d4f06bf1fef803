"""The threat model names tests that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_threat_is_attacked_by_a_test_that_is_there() -> None:
    said = (ROOT / "docs/security.md").read_text()
    threats = re.findall(r"^\| [^|]+ \| [^|]+ \| (\[`test_.+) \|$", said, re.MULTILINE)
    assert len(threats) > 20
    for links in threats:
        for name, path in re.findall(r"\[`(\w+)`\]\(\.\./([\w/.]+)\)", links):
            assert f"def {name}(" in (ROOT / path).read_text(), name
