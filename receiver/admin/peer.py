"""Whom a request to the admin side comes from, seen through trusted proxies."""

from flask import request

from receiver.vocabulary.source import source_of

from .parts import parts


def peer() -> str:
    """The address of whoever sent the request that is answered now."""
    return source_of(
        request.remote_addr or "", request.headers.get("X-Forwarded-For"), parts().settings.trusted_proxies
    )
