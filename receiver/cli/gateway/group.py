"""``receiver gateway``: what the enterprise asks of its SMS gateway."""

import sys

import click

from receiver.cli.database import settings
from receiver.cli.output import Column, Format, format_option, render
from receiver.gateway import ContentVerdict, InDoubt, meaning_of
from receiver.gateway.settings import gateway_of

from . import sends
from .poll import poll
from .send import send

_VERDICT = (
    Column("allowed", "allowed", style=lambda allowed: "green" if allowed else "bold red", fixed=True),
    Column("code", "code", fixed=True),
    Column("reason", "what the gateway says", widest=True),
    Column("meaning", "meaning"),
    Column("meaning_zh", "含义"),
)
_BALANCE = (Column("amount", "balance", fixed=True), Column("short_name", "short name"))
_STORED = (
    "RECEIVER_GATEWAY_PASSWORD, or in the file that RECEIVER_GATEWAY_PASSWORD_FILE names, and restart what runs with it"
)


@click.group("gateway")
def command() -> None:
    """Call the SMS gateway: send, check a text, ask the balance, pull replies, change the password.

    The account is that of RECEIVER_GATEWAY_NAME and RECEIVER_GATEWAY_PASSWORD (or _FILE), at RECEIVER_GATEWAY_URL. Exit
    status: 0 done, 1 refused by the gateway, 2 wrong usage, 3 the gateway is down or its answer in doubt.

    To try it all without an account: "receiver simulate gateway", and its demo account.

    \b
    Examples:
      receiver gateway balance
      receiver gateway check "Our shop opens at nine"
    """


command.add_command(send)
command.add_command(sends.command)


command.add_command(poll)


class _Down(click.ClickException):
    exit_code = 3


@command.command("check", short_help="Ask whether a text may be sent.")
@click.argument("text")
@format_option
def check(text: str, chosen_format: Format) -> None:
    """Ask the gateway whether TEXT may be sent, at most 540 characters; - reads it from standard input.

    Exit status 0 where it is allowed, 1 where it is forbidden: the gateway names one forbidden word, or the rule.

    \b
    Examples:
      receiver gateway check "Our shop opens at nine"
      receiver gateway check - < text.txt
    """
    gateway = gateway_of(settings())
    verdict = gateway.check_content(_without_line_end(sys.stdin.read()) if text == "-" else text)
    render([_row(verdict)], _VERDICT, chosen_format)
    if not verdict.allowed:
        raise click.exceptions.Exit(1)


@command.command("balance", short_help="Ask what is left on the account.")
@format_option
def balance(chosen_format: Format) -> None:
    """Ask what is left on the account, and the short name that the gateway puts before each text.

    The number is as the gateway writes it, in a unit that it does not publish: some count in tenths. Compare it once
    with what the gateway's operator shows.

    \b
    Examples:
      receiver gateway balance --format json
    """
    left = gateway_of(settings()).balance()
    render([{"amount": left.amount, "short_name": left.short_name}], _BALANCE, chosen_format)


@command.command("password", short_help="Change the account's password.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the new password from two lines of standard input.")
def password(from_stdin: bool) -> None:
    """Change the account's password at the gateway: asked for twice, and not shown.

    5 to 19 ASCII letters, digits and punctuation. Afterwards store it where the receiver finds it: until then each call
    fails with 6003.

    \b
    Examples:
      receiver gateway password
      printf '%s\\n%s\\n' "$NEW" "$NEW" | receiver gateway password --stdin
    """
    gateway = gateway_of(settings())
    new = _from_two_lines() if from_stdin else _asked_for()
    try:
        gateway.change_password(new)
    except InDoubt as doubt:
        raise _Down(
            f"{doubt}. Either password may be valid now. Find out: receiver gateway balance; if it says 6003, store "
            f"the new one in {_STORED}, and ask again"
        ) from None
    click.echo(f"The password is changed. Store it now in {_STORED}.")


def _row(verdict: ContentVerdict) -> dict[str, object]:
    meaning = None if verdict.allowed else meaning_of(verdict.code)
    return {
        "allowed": verdict.allowed,
        "code": verdict.code,
        "reason": verdict.reason,
        "meaning": meaning and meaning.english,
        "meaning_zh": meaning and meaning.chinese,
    }


def _asked_for() -> str:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: give the new password in two lines, with --stdin")
    new: str = click.prompt("New password", hide_input=True, confirmation_prompt="The same again")
    return new


def _from_two_lines() -> str:
    lines = [_without_line_end(line) for line in sys.stdin]
    if len(lines) != 2 or lines[0] != lines[1]:
        raise click.UsageError("--stdin takes two lines, the new password and the same again: these are others")
    return lines[0]


def _without_line_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
