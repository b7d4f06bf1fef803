"""Settings: environment variables RECEIVER_…, or the same names in .env, validated before anything starts."""

from .loading import SECRETS, ConfigurationError, apart, load, unknown
from .settings import PREFIX, Settings

__all__ = ["PREFIX", "SECRETS", "ConfigurationError", "Settings", "apart", "load", "unknown"]
