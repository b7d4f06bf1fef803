"""Where replies are pushed to: an address on this machine, unless a person says otherwise."""

import socket
from dataclasses import dataclass, replace
from ipaddress import ip_address
from urllib.parse import quote, urlsplit


class UnusableTarget(ValueError):
    """The URL is none, its host is unknown, or it is on another machine; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver's URL with the address that its host name was checked to have."""

    host: str
    address: str
    port: int
    path: str
    tls: bool = False

    @classmethod
    def of(cls, url: str, *, allow_remote: bool = False) -> "Target":
        """The target at ``url``, on this machine unless ``allow_remote``. Raises UnusableTarget."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UnusableTarget(f"{url!r} is no URL: {error}") from None
        if parts.scheme not in ("http", "https") or not host:
            raise UnusableTarget(f"{url!r} is no URL: write http://127.0.0.1:8000/recv.asp")
        tls = parts.scheme == "https"
        port = port or (443 if tls else 80)
        addresses = _addresses(host, port)
        remote = [address for address in addresses if not ip_address(address).is_loopback]
        if remote and not allow_remote:
            raise UnusableTarget(f"{host} is not this machine ({remote[0]}): add --allow-remote if it is yours to test")
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~") + (
            f"?{quote(parts.query, safe='=&%+')}" if parts.query else ""
        )
        return cls(parts.netloc.rpartition("@")[2], addresses[0], port, path, tls)

    def with_token(self, token: str | None) -> "Target":
        """The same with ``token`` in the URL, where a gateway that posts has it too."""
        if token is None:
            return self
        return replace(self, path=f"{self.path}{'&' if '?' in self.path else '?'}token={quote(token, safe='')}")

    @property
    def server_name(self) -> str:
        """The host's name without its port."""
        return urlsplit(f"//{self.host}").hostname or self.address


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnusableTarget(f"the host {host} is not known: {error}") from None
    return [str(address[4][0]).partition("%")[0] for address in found]
