"""Whom the gateway took, by its answer: the number decides, the lists say who, and what is not clear is in doubt."""

from itertools import product

import pytest

from receiver.gateway.client import SendAnswer
from receiver.gateway.sending.answer import fates
from receiver.store.sends import State

A, B, C, D = "13900000001", "13900000002", "13900000003", "13900000004"
STRANGER = "13900009999"

# batch, num, success, faile, and what becomes of each: a accepted, r refused, ? in doubt
CASES = [
    ("all are named", "ABC", 3, "ABC", "", "aaa"),
    ("all, and no list", "ABC", 3, "", "", "aaa"),
    ("all, and a list that is not whole", "ABC", 3, "A", "", "aaa"),
    ("one failed", "ABC", 2, "AB", "C", "aar"),
    ("one failed, and no list of the others", "ABC", 2, "", "C", "aar"),
    ("two of three, and no list at all", "ABC", 2, "", "", "???"),
    ("two of three are named, the third is not", "ABC", 2, "AB", "", "aar"),
    ("one is named, of two", "ABC", 2, "A", "", "a??"),
    ("one is named, one failed, the third is needed for the number", "ABC", 2, "A", "C", "aar"),
    ("one is named, one failed, the third is not needed", "ABC", 1, "A", "C", "arr"),
    ("one is in both lists", "ABC", 2, "AB", "BC", "a?r"),
    ("both lists have all", "AB", 2, "AB", "AB", "??"),
    ("more are named than the number", "ABC", 1, "AB", "", "???"),
    ("the number is all, and one failed", "ABC", 3, "AB", "C", "aa?"),
    ("the number is all, one failed and nobody is named", "ABC", 3, "", "C", "aa?"),
    ("the number is more than all", "AB", 5, "A", "", "a?"),
    ("the number is more than all, and one failed", "AB", 5, "A", "B", "a?"),
    ("a stranger is named in place of one", "AB", 2, "AS", "", "aa"),
    ("a stranger is named, and the number is reached", "AB", 1, "AS", "", "a?"),
    ("only strangers are named", "AB", 1, "S", "", "??"),
    ("one alone", "A", 1, "A", "", "a"),
    ("one alone, and no list", "A", 1, "", "", "a"),
    ("one alone, failed and counted", "A", 1, "", "A", "?"),
]
PHONES = {"A": A, "B": B, "C": C, "D": D, "S": STRANGER}
MEANS = {"a": State.ACCEPTED, "r": State.REFUSED, "?": State.IN_DOUBT}


def listed(letters: str) -> tuple[str, ...]:
    return tuple(PHONES[letter] for letter in letters)


def asked(letters: str) -> list[str]:
    return ["+86" + PHONES[letter] for letter in letters]


@pytest.mark.parametrize(
    ("batch", "num", "success", "failed", "means"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)
def test_the_fate_of_each_phone(batch: str, num: int, success: str, failed: str, means: str) -> None:
    found = fates(asked(batch), SendAnswer(num, listed(success), listed(failed), 6008, "号码无效"))
    assert list(found) == asked(batch)
    assert [fate.state for fate in found.values()] == [MEANS[letter] for letter in means]
    for fate in found.values():
        if fate.state is State.REFUSED:
            assert (fate.code, fate.detail) == (6008, "号码无效")
        assert (fate.detail is None) == (fate.state is State.ACCEPTED)


@pytest.mark.parametrize("form", ["{}", "86{}", "+86{}", "0086{}", " {} ", "139 0000 0001"])
def test_phones_are_compared_by_who_they_are(form: str) -> None:
    found = fates(asked("AB"), SendAnswer(1, (form.format(A),), (f"86{B}",), 6008, ""))
    assert [fate.state for fate in found.values()] == [State.ACCEPTED, State.REFUSED]


def test_phs_are_compared_with_and_without_their_zero() -> None:
    found = fates(["+861055500001", "+861055500002"], SendAnswer(1, ("010-55500001",), ("01055500002",), 6008, ""))
    assert [fate.state for fate in found.values()] == [State.ACCEPTED, State.REFUSED]


def test_a_code_of_zero_is_no_code() -> None:
    found = fates(asked("AB"), SendAnswer(1, (A,), (B,), 0, ""))
    assert (found["+86" + B].code, found["+86" + B].detail) == (None, None)


def test_never_are_more_accepted_than_the_number_says_nor_one_that_only_failed() -> None:
    batch = asked("ABC")
    subsets = ["", "A", "AB", "B", "BC", "ABC", "C", "AC", "S"]
    for num, success, failed in product(range(1, 5), subsets, subsets):
        found = fates(batch, SendAnswer(num, listed(success), listed(failed), None, ""))
        accepted = {phone for phone, fate in found.items() if fate.state is State.ACCEPTED}
        refused = {phone for phone, fate in found.items() if fate.state is State.REFUSED}
        assert len(accepted) <= num, (num, success, failed)
        assert not accepted & set(asked(failed)), (num, success, failed)
        assert not refused & set(asked(success)), (num, success, failed)
        assert len(batch) - len(refused) >= min(num, len(batch)), (num, success, failed)
