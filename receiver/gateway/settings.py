"""The gateway that the settings name."""

from receiver.config import PREFIX, ConfigurationError, Settings

from . import calls
from .client import Gateway


def gateway_of(settings: Settings, *, timeout: float | None = None) -> Gateway:
    """The client for the enterprise's account. Raises ConfigurationError where name or password is missing.

    ``timeout``: seconds for a call, in place of GATEWAY_TIMEOUT.
    """
    name, password = settings.gateway_name, settings.gateway_password
    if name is None or password is None:
        missing = [
            f"{PREFIX}GATEWAY_{what}" for what, value in (("NAME", name), ("PASSWORD", password)) if value is None
        ]
        raise ConfigurationError(
            f"set {' and '.join(missing)}: the enterprise's login at the gateway "
            f"({PREFIX}GATEWAY_PASSWORD_FILE names a file that holds the password)"
        )
    return Gateway(
        settings.gateway_url,
        name,
        password.get_secret_value(),
        charset=settings.gateway_charset,
        method=settings.gateway_method,
        timeout=settings.gateway_timeout if timeout is None else timeout,
        observe=calls.count,
    )
