"""From the bytes of a request to a delivery, or to why it is none (protocol.md §1, §8, §9)."""

from .identity import phone_identity
from .reading import Reading
from .reply import Delivery, Reason, Undeliverable
from .wire import read_text, unescape

# ASP looks parameters up without regard to case. ``token`` is ours.
_KNOWN = {b"src": "src", b"dst": "dst", b"msg": "msg", b"token": "token"}
# Bytes of query or form body. A joined long SMS of 8 parts in UTF-8, percent-encoded, is under 5 kB.
LARGEST_QUERY = 8_192
# An alphanumeric sender has 11 characters, a phone in its longest form 20, a service number 17 (protocol.md §2).
LONGEST_ADDRESS = 100


def parse(query: bytes, reading: Reading) -> Delivery | Undeliverable:
    """What ``query`` (a query string or form body, as on the wire) delivers. Never raises."""
    values = parameters(query, token=reading.has_token)
    detail = _unusable(values)
    if detail is not None:
        return Undeliverable(*detail, raw=query, unsubscribes=_unsubscribing_phone(values, reading))

    src_wire, dst, raw = _address(values["src"][0]), _address(values["dst"][0]), values["msg"][0]
    for reason, address in ((Reason.UNUSABLE_SRC, src_wire), (Reason.UNUSABLE_DST, dst)):
        if len(address) > LONGEST_ADDRESS:
            problem = f"{reason.value[-3:]} has {len(address)} characters, more than {LONGEST_ADDRESS}"
            return Undeliverable(reason, problem, query, _unsubscribing_phone(values, reading))

    return reading.delivery(src_wire, dst, raw)


def parameters(query: bytes, *, token: bool = False) -> dict[str, list[bytes]]:
    """The known parameters' values, still escaped, in their order.

    What stands behind an ``&`` and is no parameter we know belongs to ``msg`` where it follows ``msg``: the gateway
    does not always escape the ``&`` of a text (protocol.md §8). Elsewhere it is left out.
    """
    values: dict[str, list[bytes]] = {}
    name: str | None = None
    for part in query.split(b"&"):
        known = _name(part)
        if known is not None and (token or known != "token"):
            name = known
            values.setdefault(name, []).append(part.partition(b"=")[2])
        elif name == "msg":
            values["msg"][-1] += b"&" + part
    return values


def without_token(raw: bytes) -> bytes:
    """``raw``, a query or the head of a request, without the parameter ``token``."""
    kept = []
    for part in raw.split(b"&"):
        before, mark, first = part.rpartition(b"?")  # GET /recv.asp?token=…
        if _name(part) == "token":
            continue
        kept.append(before + mark if mark and _name(first) == "token" else part)
    return b"&".join(kept)


def unsubscribing_phone(query: bytes, reading: Reading) -> str | None:
    """The phone that says stop in a delivery that is otherwise unusable, where there is no doubt which one it is."""
    return _unsubscribing_phone(parameters(query, token=reading.has_token), reading)


def _name(part: bytes) -> str | None:
    """Which parameter we know ``part`` of a query sets."""
    key, separator, _ = part.partition(b"=")
    return (_KNOWN.get(key) or _KNOWN.get(unescape(key).strip().lower())) if separator else None


def _unusable(values: dict[str, list[bytes]]) -> tuple[Reason, str] | None:
    for name, reason in (("src", Reason.MISSING_SRC), ("dst", Reason.MISSING_DST), ("msg", Reason.MISSING_MSG)):
        given = values.get(name)
        if given is None:
            return reason, f"there is no parameter {name}"
        if len(given) > 1 and len({unescape(value) for value in given}) > 1:
            return Reason.CONFLICT, f"parameter {name} came {len(given)} times with different values"
    if not _address(values["src"][0]).strip():
        return Reason.MISSING_SRC, "parameter src is empty"
    return None


def _address(wire: bytes) -> str:
    if wire.isalnum():  # of bytes: ASCII letters and digits, which stand for themselves
        return wire.decode("ascii")
    # A plus sign is read as a space everywhere on the wire; where a number began with it, it is meant (protocol.md §9).
    return read_text(wire).text


def _unsubscribing_phone(values: dict[str, list[bytes]], reading: Reading) -> str | None:
    senders = {phone_identity(_address(src), reading.region) for src in values.get("src", [])}
    stop = any(map(reading.unsubscribes, values.get("msg", [])))
    return senders.pop() if stop and len(senders) == 1 else None
