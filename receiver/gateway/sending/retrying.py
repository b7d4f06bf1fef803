"""A transaction that is tried again where it met other writers, as sending writes it."""

from receiver.store.retrying import written

__all__ = ["written"]
