"""The words everything else speaks: values and pure rules, with no I/O and nothing of ours imported."""

from .charset import Charset, Decoded, decode
from .identity import as_it_came, mask, mask_phones, phone_identity
from .ids import earliest_id, new_id
from .reading import Reading
from .reply import Delivery, Kind, Origin, Quarantined, Reason, Reply, Undeliverable
from .unsubscribe import MANDATORY_KEYWORD, is_unsubscribe, keyword_set

__all__ = [
    "MANDATORY_KEYWORD",
    "Charset",
    "Decoded",
    "Delivery",
    "Kind",
    "Origin",
    "Quarantined",
    "Reading",
    "Reason",
    "Reply",
    "Undeliverable",
    "as_it_came",
    "decode",
    "earliest_id",
    "is_unsubscribe",
    "keyword_set",
    "mask",
    "mask_phones",
    "new_id",
    "phone_identity",
]
