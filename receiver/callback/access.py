"""Who may call the callback: by source address, seen through trusted proxies, and by token."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_CACHED = 1024
# A source that can't be told: no network holds it.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Access:
    """The settings ALLOWED_SOURCES, TRUSTED_PROXIES and CALLBACK_TOKEN, as questions."""

    allowed: Sequence[Network]
    proxies: Sequence[Network]
    token: str | None
    # Answers already given: a gateway calls from few addresses, and strangers must not fill the memory.
    _allowed_cache: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    def source(self, peer: str, forwarded_for: str | None) -> str:
        """The address that a request came from: ``peer``, or where that is a trusted proxy, whom it speaks for.

        The chain in X-Forwarded-For is read from the right for as long as who wrote it is trusted.
        """
        if not forwarded_for or not self.proxies:
            return _canonical(peer)
        source = peer
        for hop in reversed(forwarded_for.split(",")):
            if not self.is_proxy(source):
                break
            source = _without_port(hop.strip())
            if _address(source) is None:
                return UNKNOWN  # whoever that is, it is nobody we allow
        return _canonical(source)

    def allows(self, source: str) -> bool:
        known = self._allowed_cache.get(source)
        if known is None:
            known = _within(source, self.allowed)
            if len(self._allowed_cache) < _CACHED:
                self._allowed_cache[source] = known
        return known

    def accepts(self, token: str | None) -> bool:
        """Whether ``token`` is the one that is set, or none is set."""
        if self.token is None:
            return True
        return token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def is_proxy(self, source: str) -> bool:
        return _within(source, self.proxies)


def _within(source: str, networks: Sequence[Network]) -> bool:
    address = _address(source)
    return address is not None and any(address in network for network in networks)


@lru_cache(maxsize=1024)
def _canonical(source: str) -> str:
    address = _address(source)
    return UNKNOWN if address is None else str(address)


def _without_port(hop: str) -> str:
    """``192.0.2.1:4711`` and ``[2001:db8::1]:4711``, as some proxies write, without the port."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    host, _, port = hop.partition(":")
    return host if port.isdigit() and "." in host else hop


def _address(written: str) -> Address | None:
    try:
        address = ip_address(written.partition("%")[0])  # a zone says which of our own links, not who it is
    except ValueError:
        return None
    # An IPv4 caller on a socket that listens on both.
    return getattr(address, "ipv4_mapped", None) or address
