"""What a message is found by: the characters of its text, and the other things that it can be filtered by."""

from typing import Any

from receiver.vocabulary import Kind
from receiver.vocabulary.terms import folded, grams, hashes, needed_grams

from ..tables import messages

# Of a message, what its terms are made of.
INDEXED = [messages.c[name] for name in ("id", "text", "src", "dst", "kind", "origin", "service", "duplicate_of")]


def terms_of(row: Any) -> list[int]:
    """The terms of a message. What nearly every message has is none: it would part nothing from anything."""
    named = {f"dst:{row['dst']}", f"src:{row['src']}"}
    if row["kind"] == Kind.UNSUBSCRIBE:
        named.add("unsubscribe")
    if row["origin"] != "push":
        named.add(f"origin:{row['origin']}")
    if row["service"] is not None:
        named.add(f"service:{row['service']}")
    if row["duplicate_of"] is not None:
        named.add("duplicate")
    return hashes(named | grams(folded(row["text"])))


def terms_for(
    *,
    needle: str | None,
    src: str | None,
    dst: str | None,
    kind: str | None,
    origin: str | None,
    service: str | None,
    duplicates: bool,
) -> list[int]:
    """The terms that a message must have which meets all of these conditions; none where no term tells."""
    named = set() if needle is None else needed_grams(needle)
    if src is not None:
        named.add(f"src:{src}")
    if dst is not None:
        named.add(f"dst:{dst}")
    if kind == Kind.UNSUBSCRIBE:
        named.add("unsubscribe")
    if origin is not None and origin != "push":
        named.add(f"origin:{origin}")
    if service is not None:
        named.add(f"service:{service}")
    if duplicates:
        named.add("duplicate")
    return hashes(named)
