"""A phone that is looked for: noted, and by who sees phones masked not so often that one is found out by trying."""

from receiver.access import Action
from receiver.access.rates import Policy
from receiver.access.roles import Permission
from receiver.vocabulary.identity import mask

from ..api.values import sender
from ..parts import parts
from .forms import Form
from .languages import gettext
from .visitor import act, person


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


def note_lookup(phone: str, within: str, *, known: bool) -> None:
    """Note which phone was looked for, masked, before it is told whether it is known. Raises StoreError."""
    act(Action.PHONE_SEARCHED, mask(sender(phone)), within=within, known=known).record(parts().store)
