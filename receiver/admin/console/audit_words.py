"""What somebody did, in words: the audit keeps it by codes."""

from receiver.access import Action
from receiver.access.audit import Via

from .languages import Words, lazy_gettext

ACTIONS: dict[str, Words] = {
    Action.MESSAGES_READ: lazy_gettext("saw replies with phones whole"),
    Action.MESSAGES_EXPORTED: lazy_gettext("exported replies"),
    Action.MESSAGES_STREAMED: lazy_gettext("followed replies as they came"),
    Action.MESSAGE_REDECODED: lazy_gettext("decoded a reply anew"),
    Action.SUBSCRIBER_ERASED: lazy_gettext("erased what a subscriber wrote"),
    Action.OPTOUT_ADDED: lazy_gettext("opted somebody out"),
    Action.OPTOUT_LIFTED: lazy_gettext("lifted an opt-out"),
    Action.OPTOUTS_READ: lazy_gettext("saw opt-outs with phones whole"),
    Action.OPTOUTS_EXPORTED: lazy_gettext("exported opt-outs"),
    Action.OPTOUTS_IMPORTED: lazy_gettext("imported opt-outs"),
    Action.PROOF_MADE: lazy_gettext("made a proof"),
    Action.SUBSCRIPTION_ADDED: lazy_gettext("subscribed somebody"),
    Action.SUBSCRIPTION_CANCELLED: lazy_gettext("cancelled a subscription"),
    Action.SUBSCRIPTIONS_READ: lazy_gettext("saw subscriptions with phones whole"),
    Action.SUBSCRIPTIONS_IMPORTED: lazy_gettext("imported subscriptions"),
    Action.SERVICE_CHANGED: lazy_gettext("changed a service"),
    Action.SERVICE_REMOVED: lazy_gettext("removed a service"),
    Action.QUARANTINE_READ: lazy_gettext("read what is in quarantine"),
    Action.QUARANTINE_REPLAYED: lazy_gettext("took deliveries in from quarantine"),
    Action.SEND_QUEUED: lazy_gettext("sent a text"),
    Action.SEND_CANCELLED: lazy_gettext("cancelled a send"),
    Action.SEND_SETTLED: lazy_gettext("settled what was in doubt"),
    Action.SENDS_READ: lazy_gettext("saw recipients with phones whole"),
    Action.KEY_CREATED: lazy_gettext("made an API key"),
    Action.KEY_REVOKED: lazy_gettext("revoked an API key"),
    Action.PASSWORD_CHANGED: lazy_gettext("changed the password at the gateway"),
    Action.PERSON_INVITED: lazy_gettext("invited somebody"),
    Action.PERSON_LINKED: lazy_gettext("made another link for somebody"),
    Action.PERSON_JOINED: lazy_gettext("set a password by a link"),
    Action.PERSON_CHANGED: lazy_gettext("changed somebody's role"),
    Action.PERSON_DISABLED: lazy_gettext("shut somebody out"),
    Action.PERSON_ENABLED: lazy_gettext("let somebody in again"),
    Action.LOGGED_IN: lazy_gettext("logged in"),
    Action.LOGGED_OUT: lazy_gettext("logged out"),
    Action.SESSIONS_ENDED: lazy_gettext("ended other sessions"),
    Action.OWN_PASSWORD_CHANGED: lazy_gettext("changed the own password"),
    Action.SECOND_FACTOR_ENABLED: lazy_gettext("turned the second factor on"),
    Action.SECOND_FACTOR_DISABLED: lazy_gettext("turned the second factor off"),
    Action.TEST_PUSHED: lazy_gettext("pushed a test reply"),
    Action.DATABASE_BACKED_UP: lazy_gettext("backed the database up"),
    Action.DATABASE_RESTORED: lazy_gettext("restored the database from a backup"),
}
DETAILS: dict[str, Words] = {
    "role": lazy_gettext("role"),
    "before": lazy_gettext("before"),
    "scopes": lazy_gettext("scopes"),
    "format": lazy_gettext("format"),
    "filters": lazy_gettext("filters"),
    "charset": lazy_gettext("charset"),
    "service": lazy_gettext("service"),
    "recipients": lazy_gettext("recipients"),
    "people": lazy_gettext("people"),
    "found": lazy_gettext("found"),
    "rows": lazy_gettext("lines"),
    "rejected": lazy_gettext("bad lines"),
    "file_sha256": lazy_gettext("SHA-256 of the file"),
    "outcome": lazy_gettext("outcome"),
    "session": lazy_gettext("session"),
}
"""What an act's detail is called; its values are as programs have them, but for roles."""
VIA: dict[str, Words] = {
    Via.API: lazy_gettext("the API"),
    Via.CLI: lazy_gettext("the command line"),
    Via.CONSOLE: lazy_gettext("the console"),
}
