"""`partywall keys`: what producers log in with, and what contexts are signed with."""

import re
from typing import Annotated

import typer

from cli.database import operator_connection
from cli.errors import BadInputError
from cli.group import Group
from cli.output import Json, note, print_json, say
from db import signing_keys
from db.credentials import create_api_key, revoke_api_key

app = typer.Typer(cls=Group, no_args_is_help=True, help="Create and revoke API keys; rotate the signing key.")

_KEY_ID = re.compile(r"(?:pw_)?([a-z0-9]{16})(?:_[A-Za-z0-9_-]{43})?")

SigningKeyId = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=2**31 - 1, help="The key's number.", show_default=False)
]


@app.command()
def create(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's slug.", show_default=False)],
    label: Annotated[str, typer.Option(help="What the key is for.")] = "cli",
    as_json: Json = False,
) -> None:
    """Create an API key and print it: the only time anybody sees it.

    Example: KEY=$(partywall keys create acme --label shop)
    """
    with operator_connection() as connection:
        key = create_api_key(connection, slug=tenant, label=label)
    if as_json:
        print_json({"id": key.id, "key": key.spell(), "tenant": tenant})
    else:
        say(key.spell())
        note(f"Store it now: it is not shown again. Revoke it with: partywall keys revoke {key.id}")


@app.command()
def revoke(
    key_id: Annotated[
        str,
        typer.Argument(metavar="KEY_ID", help="The part between pw_ and _; a whole key will do.", show_default=False),
    ],
    as_json: Json = False,
) -> None:
    """Refuse an API key from now on.

    Example: partywall keys revoke 5f0c1d2e3a4b5c6d
    """
    spelled = _KEY_ID.fullmatch(key_id)
    if spelled is None:
        # Not repeated: it may be a secret with a typing error in it.
        raise BadInputError(
            "this is not the id of an API key",
            hint="It is the 16 characters between pw_ and _, such as 5f0c1d2e3a4b5c6d.",
        )
    with operator_connection() as connection:
        revoke_api_key(connection, spelled[1])
    if as_json:
        print_json({"id": spelled[1], "revoked": True})
    else:
        say(f"Revoked {spelled[1]}.")


@app.command("rotate-signing")
def rotate_signing(as_json: Json = False) -> None:
    """Make a new key for signing contexts; the old ones still verify.

    Example: partywall keys rotate-signing
    """
    with operator_connection() as connection:
        key_id = signing_keys.rotate_signing_key(connection)
    if as_json:
        print_json({"id": key_id})
    else:
        say(f"Signing with key {key_id} now. Once the longest job is over, retire the one before it.")


@app.command("retire-signing")
def retire_signing(key_id: SigningKeyId, as_json: Json = False) -> None:
    """Refuse every context that an old key signed, running jobs included.

    Example: partywall keys retire-signing 1
    """
    with operator_connection() as connection:
        signing_keys.retire_signing_key(connection, key_id)
    if as_json:
        print_json({"id": key_id, "retired": True})
    else:
        say(f"Retired key {key_id}: what it signed is refused.")
