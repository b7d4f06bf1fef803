"""What a kept answer says: a reply as any other, or why it is none (protocol.md §5)."""

from urllib.parse import unquote_to_bytes

from receiver.gateway.client import PulledReply, Refusal, Unreadable, parse_reply
from receiver.vocabulary import Origin, Quarantined, Reading, Reason, Reply, Undeliverable, phone_identity

from .answer import Answer

# Of an answer that is no reply, bytes that are kept at most: of a request they are no more.
LARGEST_KEPT = 65_536
# The longest that are stored: receiver.vocabulary.parse has the same for addresses, the table for the number.
_LONGEST_ADDRESS = 100
_LONGEST_NUMBER = 32


def item(answer: Answer, reading: Reading) -> Reply | Quarantined | None:
    """What is to be stored of an answer, under its id; None where the gateway said that there was nothing."""
    try:
        pulled = parse_reply(answer.body, answer.charset, whole=answer.whole)
    except Refusal:
        return None
    except Exception as failure:
        # Were the fault ours, the answer would be in everybody's way for ever.
        why = str(failure) if isinstance(failure, Unreadable) else f"reading it failed: {type(failure).__name__}"
        return _quarantined(answer, Reason.UNREADABLE, why, _surely_unsubscribes(answer, reading))
    return None if pulled is None else _reply(answer, pulled, reading)


def read_again(answer: Answer, reading: Reading) -> Reply | Undeliverable:
    """What an answer says today that was put into quarantine."""
    said = item(answer, reading)
    if said is None:
        return Undeliverable(Reason.UNREADABLE, "the gateway says that there was nothing to read", answer.body)
    return said if isinstance(said, Reply) else said.undeliverable


def _reply(answer: Answer, pulled: PulledReply, reading: Reading) -> Reply | Quarantined:
    src, dst = pulled.src, pulled.dst
    stop = phone_identity(src, reading.region) if reading.unsubscribes(pulled.raw) else None
    for reason, what, text, longest in (
        (Reason.UNUSABLE_SRC, "src", src, _LONGEST_ADDRESS),
        (Reason.UNUSABLE_DST, "dst", dst, _LONGEST_ADDRESS),
        (Reason.UNREADABLE, "id", pulled.gateway_id, _LONGEST_NUMBER),
    ):
        if len(text) > longest:
            return _quarantined(answer, reason, f"{what} has {len(text)} characters, more than {longest}", stop)
    delivery = reading.delivery(src, dst, pulled.raw)
    return Reply(
        answer.id,
        answer.read_at,
        Origin.POLL,
        None,
        delivery,
        gateway_id=pulled.gateway_id,
        sent_at=pulled.sent_at,
        account=answer.account,
    )


def _quarantined(answer: Answer, reason: Reason, detail: str, stop: str | None = None) -> Quarantined:
    kept = Undeliverable(reason, detail, answer.body[:LARGEST_KEPT], stop)
    return Quarantined(answer.id, answer.read_at, None, kept)


def _surely_unsubscribes(answer: Answer, reading: Reading) -> str | None:
    """The phone that says stop in an answer that can't be read as a whole, where there is no doubt whose it is.

    No doubt: one phone, whose end is known, by what follows or by the answer's. Its one text may have been cut: 0000 of
    which more may have followed is honoured, for who said more than stop loses less than who said it in vain.
    """
    parts = answer.body.split(b"&")
    ended = parts if answer.whole or answer.body.endswith((b"\r", b"\n")) else parts[:-1]
    senders, texts = _values(ended, b"src"), _values(parts, b"msg")
    if len(senders) == 1 and not senders[0].strip():
        senders = _values(ended, b"dst")  # seen: the phone in dst (§5)
    if len(senders) != 1 or len(texts) != 1:
        return None
    if not reading.unsubscribes(texts[0]):
        return None
    return phone_identity(unquote_to_bytes(senders[0]).decode("ascii", "replace").strip(), reading.region)


def _values(parts: list[bytes], wanted: bytes) -> list[bytes]:
    pairs = (part.partition(b"=") for part in parts)
    return [value for name, equals, value in pairs if equals and name.strip().lower() == wanted]
