"""The keys that sign contexts. They are born in PostgreSQL and never leave it; here they are numbers."""

from sqlalchemy import Connection, text


def rotate_signing_key(connection: Connection) -> int:
    """Make a new key, which signs from now on; return its id. Tokens signed before stay good until they expire."""
    key_id: int = connection.execute(text("select partywall.rotate_signing_key()")).scalar_one()
    connection.commit()
    return key_id


def retire_signing_key(connection: Connection, key_id: int) -> None:
    """Refuse every token the key signed, from now on.

    Raises:
        SigningKeyError: it is the newest, already retired, or unknown.
    """
    connection.execute(text("select partywall.retire_signing_key(:key_id)"), {"key_id": key_id})
    connection.commit()
