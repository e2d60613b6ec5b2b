"""API keys: `pw_<id>_<secret>`. The secret exists once, when the key is made; the database keeps a digest."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, text

from db.context import TenantContext
from db.errors import CredentialRejectedError

_KEY = re.compile(r"pw_([a-z0-9]{16})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its owner holds it."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> "ApiKey":
        """Return a key nobody has: 64 random bits of id, 256 of secret."""
        return cls(id=secrets.token_hex(8), secret=secrets.token_urlsafe(32))

    @classmethod
    def parse(cls, spelled: str) -> "ApiKey":
        """Return the key that `pw_<id>_<secret>` spells.

        Raises:
            CredentialRejectedError: it is not of this form.
        """
        match = _KEY.fullmatch(spelled)
        if match is None:
            raise CredentialRejectedError(hint='Send "Authorization: Bearer pw_<id>_<secret>".')
        return cls(id=match[1], secret=match[2])

    def spell(self) -> str:
        """Return what the producer stores. The only place a secret becomes text."""
        return f"pw_{self.id}_{self.secret}"

    @property
    def digest(self) -> bytes:
        """SHA-256 of the secret: 256 random bits need no slow hash."""
        return hashlib.sha256(self.secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a verified credential stands for."""

    key_id: str
    tenant_id: UUID
    tenant_slug: str
    context: TenantContext


def create_api_key(connection: Connection, *, slug: str, label: str) -> ApiKey:
    """Return a new key of the tenant. Show it now: it cannot be shown again.

    Raises:
        TenantUnknownError: no tenant has that slug.
    """
    key = ApiKey.new()
    connection.execute(
        text("select partywall.create_api_key(:slug, :key_id, :label, :digest)"),
        {"slug": slug, "key_id": key.id, "label": label, "digest": key.digest},
    )
    connection.commit()
    return key


def revoke_api_key(connection: Connection, key_id: str) -> None:
    """Refuse the key from now on. Revoking twice is once.

    Raises:
        CredentialRejectedError: no key has that id.
    """
    known = connection.execute(text("select partywall.revoke_api_key(:key_id)"), {"key_id": key_id}).scalar_one()
    connection.commit()
    if not known:
        raise CredentialRejectedError("no API key has that id", key=key_id, hint="It is the part between pw_ and _.")


def authenticate(connection: Connection, key: ApiKey) -> Principal:
    """Return whom the key stands for, with a context of five minutes. One round trip.

    Raises:
        CredentialRejectedError: wrong, unknown or revoked; which of them is not told.
        TenantSuspendedError, TenantDeletingError: the key is good, the tenant may not work.
    """
    row = connection.execute(
        text("select * from partywall.authenticate(:key_id, :digest)"),
        {"key_id": key.id, "digest": key.digest},
    ).one()
    connection.commit()
    return Principal(
        key_id=key.id,
        tenant_id=row.tenant_id,
        tenant_slug=row.tenant_slug,
        context=TenantContext.of(row.token),
    )
