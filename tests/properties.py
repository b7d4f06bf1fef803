"""How many examples a property is tried with: few each time that all tests run, many in ``make soak``."""

from hypothesis import settings

BRIEF, SOAK = 50, 2_000
USUAL = "brief"

# No deadlines: how busy a machine is says nothing about the code.
settings.register_profile(USUAL, deadline=None, max_examples=BRIEF)
settings.register_profile("soak", deadline=None, max_examples=SOAK)


def tried(times: int) -> int:
    """``times`` in a brief run, and as many times more in a soak as for any other property."""
    return times * settings().max_examples // BRIEF
