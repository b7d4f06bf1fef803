"""How many bytes, as people say it."""

import pytest

from receiver.vocabulary.sizes import scaled, size_told


@pytest.mark.parametrize(
    ("size", "number", "unit", "told"),
    [
        (0, 0.0, "byte", "0 bytes"), (1, 1.0, "byte", "1 byte"), (999, 999.0, "byte", "999 bytes"),
        (1_000, 1.0, "kilobyte", "1.0 kB"), (1_249, 1.2, "kilobyte", "1.2 kB"),
        (999_949, 999.9, "kilobyte", "999.9 kB"), (999_950, 1.0, "megabyte", "1.0 MB"),
        (3_400_000_000, 3.4, "gigabyte", "3.4 GB"), (5 * 10**15, 5000.0, "terabyte", "5000.0 TB"),
    ],
)  # fmt: skip
def test_a_size_is_told_in_the_largest_unit_that_it_has_one_of(size: int, number: float, unit: str, told: str) -> None:
    assert (scaled(size), size_told(size)) == ((number, unit), told)
