"""The headers that a call carries through the broker."""

from collections.abc import Mapping
from typing import Any

TOKEN_HEADER = "partywall_token"  # noqa: S105 - the header's name
"""What lets the call into its tenant."""
TENANT_HEADER = "partywall_tenant"
"""How Flower shows the tenant; also with tasks that enter none. It opens nothing, so nobody has to believe it."""


def token_of(headers: Mapping[str, Any] | None) -> str | None:
    """Return the token that a message carries."""
    return _text(headers, TOKEN_HEADER)


def tenant_of(headers: Mapping[str, Any] | None) -> str | None:
    """Return whose arguments and results these are, as far as the message says."""
    return _text(headers, TENANT_HEADER)


def _text(headers: Mapping[str, Any] | None, name: str) -> str | None:
    value = (headers or {}).get(name)
    return value if isinstance(value, str) else None
