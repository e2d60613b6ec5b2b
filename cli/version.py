"""`partywall version`: what this is."""

import platform
from importlib import metadata

import typer

from cli.output import Json, print_json, say


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(version)


def version(as_json: Json = False) -> None:
    """Print the version.

    Example: partywall version
    """
    installed = metadata.version("partywall")
    if as_json:
        print_json({"partywall": installed, "python": platform.python_version()})
    else:
        say(f"partywall {installed}, Python {platform.python_version()}")
