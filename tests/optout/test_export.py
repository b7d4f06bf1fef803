"""The suppression list leaves with an event before it, in the form that was asked for."""

from hashlib import sha256

import pytest

from receiver.optout.export import Form, exported, written
from receiver.store import ledger
from receiver.store.store import Store
from receiver.vocabulary import phone_identity
from tests.intake.replies import reply
from tests.store.test_record import WINDOW


@pytest.fixture
def store(store: Store) -> Store:
    store.record([reply("0000", f"+8613900000{number:03}") for number in range(5)], [], WINDOW)
    return store


def test_the_event_is_there_before_the_first_phone_is(store: Store) -> None:
    rows = exported(store, actor="Li Na", kind_of_file="csv")
    assert next(rows)["phone"] == "+8613900000000"
    with store.reading() as connection:
        [event] = ledger.at(connection, [6]).values()
    assert (event["type"], event["actor"], event["phone"]) == ("exported", "Li Na", None)
    assert event["detail"] == {"count": 5, "form": "e164", "hashed": False, "format": "csv"}
    rows.close()


def test_the_count_is_that_of_the_rows_though_somebody_stops_meanwhile(store: Store) -> None:
    rows = exported(store, actor="Li Na", kind_of_file="csv")
    next(rows)
    store.record([reply("0000", "+8615400000001")], [], WINDOW)
    assert len(list(rows)) == 4


def test_hashes_are_of_the_e164_forms_bytes(store: Store) -> None:
    rows = list(exported(store, actor="Li Na", kind_of_file="jsonl", hashed=True))
    assert rows[0]["phone_sha256"] == sha256(b"+8613900000000").hexdigest()
    assert "phone" not in rows[0]


FORMS = [
    ("+8613900000001", "CN", "13900000001"),
    ("+861065551234", "CN", "01065551234"),
    ("+85251234567", "CN", "+85251234567"),
    ("+85251234567", "HK", "51234567"),
    ("+8613900000001", "HK", "+8613900000001"),
    ("SHOP", "CN", "SHOP"),
]


@pytest.mark.parametrize(("phone", "region", "national"), FORMS)
def test_only_the_regions_own_phones_lose_their_country_code(phone: str, region: str, national: str) -> None:
    assert written(phone, Form.NATIONAL, region) == national
    assert written(phone, Form.E164, region) == phone
    assert phone == "SHOP" or phone_identity(national, region) == phone
