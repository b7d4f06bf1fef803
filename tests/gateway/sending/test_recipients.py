"""Each person once, as the gateway takes the number, in calls that it allows (protocol.md §2, §9)."""

import pytest

from receiver.gateway.sending.recipients import LARGEST_BATCH, batches, recipients, wire_form
from tests.vocabulary.test_identity import NO_PHONES, ONE_PERSON

ON_THE_WIRE = [
    # what it is, identity, as the gateway takes it
    ("a mobile", "+8613900000001", "13900000001"),
    ("a mobile of a young range", "+8615400000001", "15400000001"),
    ("Beijing", "+861055500001", "01055500001"),
    ("Shanghai", "+862155500001", "02155500001"),
    ("a three-digit area code", "+8675555500001", "075555500001"),
    ("seven digits behind the area code", "+867715550001", "07715550001"),
    ("a toll-free number", "+868008101234", None),
    ("a 400 number", "+864008101234", None),
    ("Hong Kong", "+85291234567", None),
    ("the United States", "+12025550123", None),
    ("too short for an area code", "+8610555", None),
    ("a mobile with a digit too many", "+86139000000011", None),
]


@pytest.mark.parametrize(("identity", "wire"), [pytest.param(*case[1:], id=case[0]) for case in ON_THE_WIRE])
def test_each_kind_of_number_has_one_form_on_the_wire(identity: str, wire: str | None) -> None:
    assert wire_form(identity) == wire


def test_a_person_in_every_written_form_is_one_recipient() -> None:
    found = recipients(ONE_PERSON * 2, "CN")
    (person,) = found.people
    assert (person.identity, person.wire, person.written) == ("+8613900001234", "13900001234", ONE_PERSON[0])
    assert set(found.forms) == set(ONE_PERSON)
    assert found.repeated == 2 * len(ONE_PERSON) - 1


def test_what_cant_be_sent_to_is_named_with_its_problem() -> None:
    found = recipients([*NO_PHONES, "13900000001", "+85291234567", "+12025550123", "+868008101234"], "CN")
    assert [person.wire for person in found.people] == ["13900000001"]
    problems = {each.written: each.problem for each in found.invalid}
    assert set(problems) == {*NO_PHONES, "+85291234567", "+12025550123", "+868008101234"}
    assert {problems[phone] for phone in NO_PHONES} == {"is no phone number"}
    assert "another country" in problems["+85291234567"]
    assert "another country" in problems["+12025550123"]
    assert "area code" in problems["+868008101234"]


def test_phs_go_apart_from_mobiles_in_batches_of_at_most_99() -> None:
    phones = [f"1390000{number:04}" for number in range(200)]
    phones[50:50] = [f"010-5550{number:04}" for number in range(100)]
    made = batches(recipients(phones, "CN").people)
    assert [(len(batch), {person.is_phs for person in batch}) for batch in made] == [
        (99, {False}), (99, {False}), (2, {False}), (99, {True}), (1, {True}),
    ]  # fmt: skip
    assert LARGEST_BATCH == 99
    assert len({person.wire for batch in made for person in batch}) == 300


def test_a_region_elsewhere_reads_national_numbers_as_its_own() -> None:
    found = recipients(["+8613900000001", "202 555 0123"], "US")
    assert [person.wire for person in found.people] == ["13900000001"]
    assert [each.written for each in found.invalid] == ["202 555 0123"]
