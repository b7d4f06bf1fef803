"""Words for what the product knows by codes: roles, refusals, notices, and whatever else pages show by name."""

from collections.abc import Mapping
from datetime import timedelta

from receiver.access.errors import AccessError, LoginRefused
from receiver.access.passwords import LONGEST, SHORTEST, WeakPassword
from receiver.access.people import LONGEST_NAME
from receiver.access.roles import Role
from receiver.vocabulary import Kind, Origin

from .languages import Words, gettext, lazy_gettext, ngettext

ROLES: dict[str, Words] = {
    Role.VIEWER: lazy_gettext("Viewer"),
    Role.OPERATOR: lazy_gettext("Operator"),
    Role.COMPLIANCE: lazy_gettext("Compliance"),
    Role.ADMIN: lazy_gettext("Admin"),
}
MAY: dict[str, Words] = {
    Role.VIEWER: lazy_gettext("reads everything, with phones masked"),
    Role.OPERATOR: lazy_gettext("also reveals phones, exports, sends, and takes in what waits in quarantine"),
    Role.COMPLIANCE: lazy_gettext("also reveals phones, exports, opts out and lifts, proves, and reads the audit"),
    Role.ADMIN: lazy_gettext("may do all of this, and manages people, keys, services and the gateway"),
}
THEMES: dict[str, Words] = {
    "auto": lazy_gettext("Like the device"),
    "light": lazy_gettext("Light"),
    "dark": lazy_gettext("Dark"),
}
NOTICES: dict[str, Words] = {
    "logged-out": lazy_gettext("You are logged out."),
    "password-changed": lazy_gettext("The password is changed. Every other session has ended."),
    "second-factor-enabled": lazy_gettext("From now on a code is asked for at each login."),
    "second-factor-disabled": lazy_gettext("No code is asked for any more."),
    "recovery-codes-shown": lazy_gettext(
        "The recovery codes were shown once. Where they are lost, have them made anew: those before open nothing then."
    ),
    "session-ended": lazy_gettext("The session has ended."),
    "sessions-ended": lazy_gettext("Every other session has ended."),
    "saved": lazy_gettext("Saved."),
    "redecoded": lazy_gettext("The reply is read otherwise from now on. The earlier reading is kept below."),
    "redecoded-stop": lazy_gettext("The reply says stop: the phone is opted out, counted from when the reply came."),
    "test-pushed": lazy_gettext("The test reply was stored: replies that reach the callback come in."),
    "person-disabled": lazy_gettext("This person can't log in any more, and is logged out everywhere."),
    "person-enabled": lazy_gettext("This person can log in again."),
    "opted-out": lazy_gettext("The phone is opted out: nothing is sent to it any more."),
    "opted-out-before": lazy_gettext("The phone was opted out already. The ledger keeps that it was wished again."),
    "lifted": lazy_gettext("The opt-out is lifted. The ledger keeps who did it, and why."),
    "lifted-before": lazy_gettext("There is no opt-out any more: somebody has lifted it."),
    "replayed": lazy_gettext("It is taken in, as a reply of the time when it came."),
    "service-removed": lazy_gettext("The service is removed."),
    "gateway-password-changed": lazy_gettext(
        "The password is changed at the gateway. Store it now in RECEIVER_GATEWAY_PASSWORD, or in the file that "
        "RECEIVER_GATEWAY_PASSWORD_FILE names, and restart the receiver: until then every call fails with 6003."
    ),
    "key-shown": lazy_gettext(
        "The key was shown once, and nobody can show it again. If it is lost, revoke it and make another."
    ),
    "link-shown": lazy_gettext("The link was shown once, and nobody can show it again. If it is lost, make another."),
    "key-revoked": lazy_gettext("The key is revoked: it opens nothing any more."),
    "send-stored": lazy_gettext("The send is stored, and goes out as it says below."),
    "send-cancelled": lazy_gettext("What was queued is cancelled."),
    "send-settled": lazy_gettext("It is settled: nothing is sent by that."),
}
"""What a page says after a form has done something: its code comes in the query as ``done``."""
TASK_STATES: dict[str, Words] = {
    "waiting": lazy_gettext("waiting"),
    "running": lazy_gettext("running"),
    "stuck": lazy_gettext("stuck"),
    "failing": lazy_gettext("failing"),
    "off": lazy_gettext("off"),
}
TASKS: dict[str, Words] = {
    "search-index": lazy_gettext("Search index"),
    "counts": lazy_gettext("Statistics"),
    "ledger": lazy_gettext("Verifying the ledger"),
    "poll": lazy_gettext("Pulling replies"),
    "send": lazy_gettext("Sending"),
    "retention": lazy_gettext("Purging what is old"),
}
REFUSED_FOR: dict[str, Words] = {
    "source-not-allowed": lazy_gettext("address not allowed"),
    "wrong-token": lazy_gettext("token missing or wrong"),
}
"""By the value of receiver.vocabulary.Reason."""
KINDS: dict[str, Words] = {
    Kind.REPLY: lazy_gettext("reply"),
    Kind.UNSUBSCRIBE: lazy_gettext("unsubscribe"),
}
ORIGINS: dict[str, Words] = {
    Origin.PUSH: lazy_gettext("pushed"),
    Origin.POLL: lazy_gettext("pulled"),
    Origin.IMPORT: lazy_gettext("imported"),
}
DUPLICATES: dict[str, Words] = {
    "no": lazy_gettext("without suspected ones"),
    "yes": lazy_gettext("suspected ones only"),
}
_REFUSALS: dict[str, Words] = {
    "wrong": lazy_gettext("The name or the password is wrong."),
    "code-needed": lazy_gettext("This account has a second factor: write its present code too."),
    "wrong-code": lazy_gettext("The code is wrong or was used: wait for the next one, and check the device's clock."),
    "wrong-old": lazy_gettext("The present password is wrong."),
    "has-second-factor": lazy_gettext("There is a second factor already: turn it off before."),
    "no-second-factor": lazy_gettext("There is no second factor any more."),
    "no-invitation": lazy_gettext("This link was used, has expired, or never was one. Ask an admin for another."),
    "last-admin": lazy_gettext("Somebody must stay an admin: make another one first."),
    "nobody": lazy_gettext("There is nobody of this name."),
    "name-taken": lazy_gettext("There is somebody of this name already: choose another."),
}  # fmt: skip


def choices(named: Mapping[str, Words]) -> list[tuple[str, Words]]:
    """The options of a filter: all, or one of these."""
    return [("", gettext("all")), *named.items()]


def refusal(refused: AccessError) -> str:
    """Why something about accounts can't be done."""
    if isinstance(refused, LoginRefused) and refused.wait is not None:
        return _wait(refused.wait)
    if refused.code == "bad-name":
        return gettext("Write a name of 1 to %(longest)s characters on one line.", longest=LONGEST_NAME)
    return str(_REFUSALS[refused.code])


def weakness(weak: WeakPassword) -> str:
    """Why a password is not taken."""
    return {
        "short": gettext("Write at least %(shortest)s characters.", shortest=SHORTEST),
        "long": gettext("Write at most %(longest)s characters.", longest=LONGEST),
        "common": gettext("This password is too easy to guess: choose another."),
        "name": gettext("The password must not be the name."),
    }[weak.reason]


def different() -> str:
    """That a password was written in two ways."""
    return gettext("This is not the same password: write it twice alike.")


def _wait(wait: timedelta) -> str:
    seconds = max(1, round(wait.total_seconds()))
    if seconds < 60:
        return ngettext(
            "Too many failures: wait %(num)d second, then try again.",
            "Too many failures: wait %(num)d seconds, then try again.",
            seconds,
        )
    return ngettext(
        "Too many failures: wait %(num)d minute, then try again.",
        "Too many failures: wait %(num)d minutes, then try again.",
        -(-seconds // 60),
    )
