"""How often somebody who sees phones masked may look for one: not so often that a masked one is found out by trying."""

from receiver.access.rates import Policy
from receiver.access.roles import Permission

from ..parts import parts
from .forms import Form
from .languages import gettext
from .visitor import person


def may_look(form: Form) -> bool:
    """Count that whoever asks looks for the form's ``phone``; where that is once too often it is said beside it."""
    if person().may(Permission.REVEAL):
        return True
    standing = parts().rates.take(Policy.LOOKUPS, str(person().id))
    if standing is None or not standing.is_exceeded:
        return True
    form.errors["phone"] = gettext(
        "You looked for many phones within the hour: wait, or ask somebody whose role sees phones whole."
    )
    return False
