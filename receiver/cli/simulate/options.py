"""How accounts, faults and refusals are written as options of ``receiver simulate gateway``."""

from ipaddress import ip_network
from typing import Any

import click

from receiver.gateway.simulator.gateway import Account, Fault
from receiver.gateway.simulator.gateway.rules import MESSAGES


class AccountType(click.ParamType[Account]):
    name = "name:password"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Account:
        name, colon, password = value.partition(":")
        if not (name and colon and password):
            # Without the value: half of it may be a password.
            self.fail("an account is written NAME:PASSWORD", param, ctx)
        return Account(name, password)


class FaultType(click.ParamType[Fault]):
    name = "[page:]kind=share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fault:
        try:
            return Fault.parse(value)
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)


class RefusalType(click.ParamType[tuple[str, int]]):
    name = "phone=code"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        phone, equals, code = value.partition("=")
        if not (phone and equals and code.isascii() and code.isdigit()) or int(code) not in MESSAGES or int(code) == 0:
            self.fail("write PHONE=CODE with a code of 6001 to 6022, like 13900000001=6009", param, ctx)
        return phone, int(code)


def networks_of(_context: click.Context, _option: click.Parameter, written: tuple[str, ...]) -> Any:
    try:
        return tuple(ip_network(one, strict=False) for one in written)
    except ValueError as wrong:
        raise click.BadParameter(f"{wrong}; write for example 127.0.0.1 or 10.0.0.0/8") from None
