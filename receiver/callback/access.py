"""Who may call the callback: by source address, seen through trusted proxies, and by token."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from receiver.vocabulary.source import Network, is_within, source_of

_CACHED = 1024


@dataclass(frozen=True)
class Access:
    """The settings ALLOWED_SOURCES, TRUSTED_PROXIES and CALLBACK_TOKEN, as questions."""

    allowed: Sequence[Network]
    proxies: Sequence[Network]
    token: str | None
    # Answers already given: a gateway calls from few addresses, and strangers must not fill the memory.
    _allowed_cache: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    def source(self, peer: str, forwarded_for: str | None) -> str:
        """The address that a request came from (``vocabulary.source``)."""
        return source_of(peer, forwarded_for, self.proxies)

    def allows(self, source: str) -> bool:
        known = self._allowed_cache.get(source)
        if known is None:
            known = is_within(source, self.allowed)
            if len(self._allowed_cache) < _CACHED:
                self._allowed_cache[source] = known
        return known

    def accepts(self, token: str | None) -> bool:
        """Whether ``token`` is the one that is set, or none is set."""
        if self.token is None:
            return True
        return token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def is_proxy(self, source: str) -> bool:
        return is_within(source, self.proxies)
