"""Being one tenant: the signed token and what can be read from it without trusting it."""

from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from db.errors import TokenRejectedError

LONGEST_CALL_SECONDS = 30 * 86_400
"""How long the token of a call lives at most: `partywall.mint_calls()` cuts off what is more."""


@dataclass(frozen=True, slots=True)
class TenantContext:
    """A token and the tenant it names. Holding one proves nothing: PostgreSQL checks it on every BEGIN."""

    tenant_id: UUID
    token: str = field(repr=False)
    """Kept out of repr(), so that no log line or traceback shows it."""

    @classmethod
    def of(cls, token: str) -> Self:
        """Return the context of a token as `pw1.<key id>.<tenant>.<subject>.<expiry>.<mac>` spells it.

        Raises:
            TokenRejectedError: the text has another shape. Whether the signature is good, only PostgreSQL can tell.
        """
        parts = token.split(".")
        if not (token.isascii() and token.isprintable()):
            # psycopg could not even send it, and would say so in an error of its own.
            parts = []
        try:
            version, _key, tenant, _subject, _expiry, _mac = parts
            tenant_id = UUID(tenant)
        except ValueError:
            raise TokenRejectedError(hint="A token is minted by the database, never written by hand.") from None
        if version != "pw1":
            raise TokenRejectedError(version=version, hint="This code reads tokens of version pw1.")
        return cls(tenant_id=tenant_id, token=token)
