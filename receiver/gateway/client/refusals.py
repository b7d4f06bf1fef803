"""A refusal's class for every code of protocol.md §7, for callers that catch one of them."""

from .errors import Refusal


def refusal(code: int, message: str = "") -> Refusal:
    """The refusal with ``code``, of its own class where the code is known."""
    return REFUSALS.get(code, Refusal)(code, message)


class NoSuchEnterprise(Refusal):
    """6001"""


class AccountStopped(Refusal):
    """6002"""


class WrongPassword(Refusal):
    """6003"""


class PhoneProtected(Refusal):
    """6004"""


class ForbiddenWords(Refusal):
    """6005"""


class PhoneNotBillable(Refusal):
    """6006"""


class NoChannelForPhone(Refusal):
    """6007"""


class InvalidPhone(Refusal):
    """6008"""


class PhoneBlacklisted(Refusal):
    """6009"""


class AuthenticationFailed(Refusal):
    """6010"""


class NotEntitledToPhone(Refusal):
    """6011"""


class AddressNotAllowed(Refusal):
    """6012"""


class BalanceTooLow(Refusal):
    """6013"""


class EmptyText(Refusal):
    """6014"""


class TextTooLong(Refusal):
    """6015"""


class PasswordTooShort(Refusal):
    """6016"""


class BalanceLookupFailed(Refusal):
    """6017"""


class InterfaceNotEnabled(Refusal):
    """6018"""


class InterfaceWithdrawn(Refusal):
    """6019"""


class VipOnly(Refusal):
    """6020"""


class ExtensionNotRegistered(Refusal):
    """6021"""


class LooksLikePremiumService(Refusal):
    """6022"""


REFUSALS: dict[int, type[Refusal]] = {
    6001: NoSuchEnterprise,
    6002: AccountStopped,
    6003: WrongPassword,
    6004: PhoneProtected,
    6005: ForbiddenWords,
    6006: PhoneNotBillable,
    6007: NoChannelForPhone,
    6008: InvalidPhone,
    6009: PhoneBlacklisted,
    6010: AuthenticationFailed,
    6011: NotEntitledToPhone,
    6012: AddressNotAllowed,
    6013: BalanceTooLow,
    6014: EmptyText,
    6015: TextTooLong,
    6016: PasswordTooShort,
    6017: BalanceLookupFailed,
    6018: InterfaceNotEnabled,
    6019: InterfaceWithdrawn,
    6020: VipOnly,
    6021: ExtensionNotRegistered,
    6022: LooksLikePremiumService,
}
