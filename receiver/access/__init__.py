"""Who may do what on the admin side: API keys with scopes, and the audit of what was done with them."""

from .audit import Act, Action
from .keys import Created, Key, KeyRefused, Keys, NoSuchKey
from .scopes import Scope

__all__ = ["Act", "Action", "Created", "Key", "KeyRefused", "Keys", "NoSuchKey", "Scope"]
