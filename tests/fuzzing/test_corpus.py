"""What the fuzzer has found so far, tried again each time: every byte string that reaches code of its own."""

import pytest

from tests.fuzzing.__main__ import CORPUS, LONGEST
from tests.fuzzing.targets import TARGETS


def test_every_target_has_a_corpus_and_a_length() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS) == set(LONGEST)


@pytest.mark.parametrize("name", TARGETS)
def test_the_rules_hold_for_the_corpus(name: str) -> None:
    files = sorted((CORPUS / name).iterdir())
    assert len(files) > 5
    for file in files:
        TARGETS[name](file.read_bytes())
