"""Where a request came from: its peer, or whom a trusted proxy speaks for."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

# A source that can't be told: no network holds it.
UNKNOWN = "unknown"
# What one customer of an IPv6 network has to itself at least.
_IPV6_PREFIX = 64


def source_of(peer: str, forwarded_for: str | None, proxies: Sequence[Network]) -> str:
    """The address that a request came from: ``peer``, or where that is among ``proxies``, whom it speaks for.

    The chain in X-Forwarded-For is read from the right for as long as who wrote it is trusted.
    """
    if not forwarded_for or not proxies:
        return _canonical(peer)
    source = peer
    for hop in reversed(forwarded_for.split(",")):
        if not is_within(source, proxies):
            break
        source = _without_port(hop.strip())
        if _address(source) is None:
            return UNKNOWN  # whoever that is, it is nobody we allow
    return _canonical(source)


def is_within(source: str, networks: Sequence[Network]) -> bool:
    """Whether ``source`` is an address in one of ``networks``."""
    address = _address(source)
    return address is not None and any(address in network for network in networks)


def neighbourhood(source: str) -> str:
    """What ``source`` is counted under: the address, or for IPv6 its /64, which one machine can use up by itself."""
    address = _address(source)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_PREFIX), strict=False))
    return source


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
