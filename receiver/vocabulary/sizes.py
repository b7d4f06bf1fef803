"""How many bytes, as people say it: 999 bytes, 1.2 kB, 3.4 GB."""

_UNITS = (("byte", "bytes"), ("kilobyte", "kB"), ("megabyte", "MB"), ("gigabyte", "GB"), ("terabyte", "TB"))


def scaled(size: int) -> tuple[float, str]:
    """``size`` in the largest unit that it has one of, by thousands: its number, to a tenth, and the unit's name."""
    value, place = _scaled(size)
    return value, _UNITS[place][0]


def size_told(size: int) -> str:
    """``size`` in English."""
    value, place = _scaled(size)
    return f"{value:.1f} {_UNITS[place][1]}" if place else f"{size} {'byte' if size == 1 else 'bytes'}"


def _scaled(size: int) -> tuple[float, int]:
    place, value = 0, float(size)
    while round(value, 1) >= 1000 and place < len(_UNITS) - 1:
        place, value = place + 1, value / 1000
    return round(value, 1), place
