"""What is told of a failure: enough to mend it, and nothing that anybody said."""

import pytest

from receiver.gateway.client import InDoubt, NotSent, Refusal, Unreadable
from receiver.gateway.polling import CannotSpool
from receiver.store.errors import Unavailable
from receiver.worker.failure import described


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NotSent("can't connect to 203.81.21.34:80"), "NotSent: can't connect to 203.81.21.34:80"),
        (InDoubt("of 13900000001 and +86 154-0000-0000"), "InDoubt: of 139****0001 and +86154****0000"),
        (Unavailable("OperationalError: gone\nparameters: secret"), "Unavailable: OperationalError: gone"),
        (CannotSpool("/var/x can't be written"), "CannotSpool: /var/x can't be written"),
        (Unreadable("no id", b"src=13900000001&msg=secret"), "Unreadable: no id"),
        (FileNotFoundError(2, "No such file", "/var/x"), "FileNotFoundError: [Errno 2] No such file: '/var/x'"),
        (KeyError("secret"), "KeyError in ?"),
        (UnicodeDecodeError("gbk", b"secret", 0, 1, "secret"), "UnicodeDecodeError in ?"),
    ],
)
def test_an_error_is_told_without_what_it_failed_at(error: Exception, told: str) -> None:
    assert described(error) == told


def test_a_refusal_is_told_by_its_code_and_meaning_and_not_by_the_gateways_words() -> None:
    told = described(Refusal(6003, "secret"))
    assert told.startswith("Refusal: ")
    assert "6003 wrong password" in told
    assert "secret" not in told
