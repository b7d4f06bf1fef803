"""What a source is counted under (whom a proxy speaks for: tests/callback/test_access.py)."""

import pytest

from receiver.vocabulary.source import UNKNOWN, neighbourhood


@pytest.mark.parametrize(
    ("source", "counted"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        (UNKNOWN, UNKNOWN),
    ],
)
def test_an_ipv6_source_is_counted_with_its_network(source: str, counted: str) -> None:
    assert neighbourhood(source) == counted
