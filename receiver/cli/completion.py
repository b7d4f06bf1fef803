"""``receiver completion``: what a shell needs to complete our commands."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_RECEIVER_COMPLETE"


@click.command("completion", short_help="Print what a shell needs to complete commands.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script that completes commands, options and their values.

    \b
    bash:  receiver completion bash > ~/.local/share/bash-completion/completions/receiver
    zsh:   receiver completion zsh > "${fpath[1]}/_receiver"
    fish:  receiver completion fish > ~/.config/fish/completions/receiver.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click has all three"
    click.echo(kind(ctx.find_root().command, {}, "receiver", _VARIABLE).source())
