"""Who is asking. The tenant comes from the credential and from nothing else in the request."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import DBAPIError, OperationalError

from api.gate import Gate
from db.credentials import ApiKey, Principal, authenticate
from db.errors import CredentialRejectedError, TenantDeletingError, TenantSuspendedError
from db.roles import Role
from db.session import async_platform_connection

_bearer = HTTPBearer(
    scheme_name="API key",
    bearerFormat="pw_<id>_<secret>",
    description="A key made with `partywall keys create`. It stands for one tenant.",
    auto_error=False,
)


async def authenticated(
    request: Request, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """Return whom the request's key stands for. Endpoints read a body after this, so nobody's body is not read.

    Raises:
        CredentialRejectedError: no key, or one that is wrong, unknown or revoked.
        TenantSuspendedError, TenantDeletingError: the key is good, the tenant may not work.
    """
    if sent is None:
        raise CredentialRejectedError("no API key was sent", hint='Send "Authorization: Bearer pw_<id>_<secret>".')
    key = ApiKey.parse(sent.credentials)
    gate: Gate = request.app.state.gate
    await gate.pass_through()
    principal = await _authenticate(key)
    request.state.principal = principal
    return principal


Caller = Annotated[Principal, Depends(authenticated)]
"""The parameter of an endpoint that only a tenant may call."""

CALLER_ERRORS = (CredentialRejectedError, TenantSuspendedError, TenantDeletingError, OperationalError)
"""What every such endpoint may answer: for `problems()`."""


async def fresh(request: Request) -> Principal:
    """Return the caller as of now: a context lives for minutes, an upload may take longer."""
    sent = await _bearer(request)
    return await authenticated(request, sent)


async def _authenticate(key: ApiKey) -> Principal:
    try:
        return await _authenticate_once(key)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    # The connection had died in the pool, for example when PostgreSQL restarted; now the whole pool is new.
    return await _authenticate_once(key)


async def _authenticate_once(key: ApiKey) -> Principal:
    async with async_platform_connection(Role.API) as connection:
        return await connection.run_sync(authenticate, key)
