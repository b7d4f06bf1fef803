"""How settings are written that are more than a text or a number: networks, rates, lists of words, addresses."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_settings import NoDecode


def _split(value: Any) -> Any:
    return [item for part in value.split(",") if (item := part.strip())] if isinstance(value, str) else value


def _network(value: Any) -> Any:
    try:
        return ip_network(value, strict=False)
    except ValueError:
        message = f"{value!r} is no address or network; write for example 203.81.21.34 or 203.81.21.0/24"
        raise ValueError(message) from None


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Networks = Annotated[list[Network], NoDecode, BeforeValidator(_split)]
_RATE = re.compile(r"([1-9][0-9]{0,6})/(second|minute|hour|day)")


def _rate(value: Any) -> Any:
    written = "".join(value.lower().split()) if isinstance(value, str) else ""
    if written != "off" and not _RATE.fullmatch(written):
        raise ValueError("write how many within which time, like 600/minute (second, minute, hour or day), or off")
    return written


Rate = Annotated[str, BeforeValidator(_rate)]
Words = Annotated[list[str], NoDecode, BeforeValidator(_split)]
