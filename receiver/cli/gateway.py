"""``receiver gateway``: what the enterprise asks of its SMS gateway."""

import click


@click.group("gateway")
def command() -> None:
    """Call the SMS gateway: send, check a text, ask the balance, pull replies, change the password."""
