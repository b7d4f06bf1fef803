"""What can't be done with accounts: every refusal has a code, for which each language has its words."""

from datetime import timedelta


class AccessError(Exception):
    """Something about accounts that can't be done; ``code`` is for the words of each language."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class LoginRefused(AccessError):
    """Wrong name, password or code, or too many of those: which of the first is not told."""

    def __init__(self, code: str, message: str, wait: timedelta | None = None) -> None:
        super().__init__(code, message)
        self.wait = wait
