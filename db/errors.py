"""What can go wrong, one class per thing a caller would handle differently.

The database raises SQLSTATEs of its own (PW001...); `from_database` turns each into its class here.
"""

from typing import Any, ClassVar

from psycopg import Error as DriverError


class PartywallError(Exception):
    """Something Partywall refuses or could not do. `hint` names the fix; `facts` says about what."""

    sqlstate: ClassVar[str | None] = None

    def __init__(self, message: str | None = None, *, hint: str | None = None, **facts: Any) -> None:
        self.message = message or (type(self).__doc__ or "").split("\n", 1)[0].rstrip(".")
        self.hint = hint
        self.facts = facts
        super().__init__(self.message)

    def __str__(self) -> str:
        named = ", ".join(f"{name}={value}" for name, value in self.facts.items())
        return " ".join(part for part in (self.message + (f" ({named})" if named else "") + ".", self.hint) if part)

    def __reduce__(self) -> tuple[Any, ...]:
        # Celery pickles exceptions between a pool's processes; keyword-only facts need help.
        return (_rebuild, (type(self), self.message, self.hint, self.facts))


def _rebuild(kind: type[PartywallError], message: str, hint: str | None, facts: dict[str, Any]) -> PartywallError:
    return kind(message, hint=hint, **facts)


class NoTenantError(PartywallError):
    """No tenant: this transaction has not entered one."""

    sqlstate = "PW001"


class TokenRejectedError(PartywallError):
    """The tenant token was refused."""

    sqlstate = "PW002"


class TokenExpiredError(PartywallError):
    """The tenant token has expired."""

    sqlstate = "PW003"


class TenantUnknownError(PartywallError):
    """The tenant is unknown."""

    sqlstate = "PW004"


class TenantSuspendedError(PartywallError):
    """The tenant is suspended."""

    sqlstate = "PW005"


class TenantDeletingError(PartywallError):
    """The tenant is being deleted."""

    sqlstate = "PW006"


class TenantExistsError(PartywallError):
    """The slug is taken."""

    sqlstate = "PW007"


class CredentialRejectedError(PartywallError):
    """The API key was refused."""

    sqlstate = "PW008"


class LeaseLostError(PartywallError):
    """The attempt no longer holds the lease of its job."""

    sqlstate = "PW009"


class NotProtectableError(PartywallError):
    """The table cannot be protected."""

    sqlstate = "PW010"


class SigningKeyError(PartywallError):
    """The signing key cannot be retired."""

    sqlstate = "PW011"


class PayloadTooLargeError(PartywallError):
    """The payload is over 256 KiB."""

    sqlstate = "PW012"


class WallBrokenError(PartywallError):
    """The wall has a hole: something of the adopter's lets one tenant reach another."""

    sqlstate = "PW013"


class TooManyLocksError(PartywallError):
    """The transaction holds as many locks as it may."""

    sqlstate = "PW014"
    retryable: ClassVar[bool] = False


class IdempotencyKeyReusedError(PartywallError):
    """The idempotency key was used for another request."""

    sqlstate = "PW015"


class UniqueKeyTakenError(PartywallError):
    """Another job with this unique key is live."""

    sqlstate = "PW016"


class QueueFullError(PartywallError):
    """As many of the tenant's jobs wait as may."""

    sqlstate = "PW017"


class TenantDrainingError(PartywallError):
    """Nothing is accepted for the tenant any more; what waits still runs."""

    sqlstate = "PW018"


class LimitInvalidError(PartywallError):
    """That is no limit."""

    sqlstate = "PW019"


class PriorityInvalidError(PartywallError):
    """The priority is no whole number from -100 to 100."""

    sqlstate = "PW020"


class BatchInvalidError(PartywallError):
    """The batch cannot be accepted: it is no array of 1 to 1,000 jobs."""

    sqlstate = "PW021"


class TooManyJobsError(PartywallError):
    """More jobs at once than may wait for the tenant at a time."""

    sqlstate = "PW022"
    retryable: ClassVar[bool] = False


class WorkerNotProvenError(PartywallError):
    """Another process is listed with this id."""

    sqlstate = "PW023"


class JobOverError(PartywallError):
    """The job is over, or in another state than this needs."""


class PayloadUnstorableError(PartywallError):
    """PostgreSQL cannot hold the payload."""


class JobNotFoundError(PartywallError):
    """The tenant has no job with this id."""


class ForeignConnectionError(PartywallError):
    """A body's connection and session are its own: not another thread's, and not another body's."""

    retryable: ClassVar[bool] = False


class BodyClosedError(PartywallError):
    """A body closed what is the worker's to close. What it wrote would be lost, and its success a lie."""

    retryable: ClassVar[bool] = False


class FileNotFoundInTenantError(PartywallError):
    """The tenant has no file with this name."""

    retryable: ClassVar[bool] = False


class FileTooLargeError(PartywallError):
    """The file is over the limit."""


class FileNameInvalidError(PartywallError):
    """The file name is not one a file may have."""


class FileDamagedError(PartywallError):
    """The file's bytes are not those that were stored."""


class SettingMissingError(PartywallError):
    """A setting is missing."""


class SchemaOlderError(PartywallError):
    """The database's schema is older than this code."""


class SchemaNewerError(PartywallError):
    """The database's schema is newer than this code."""


class MigrationBusyError(PartywallError):
    """Another migration held the lock until the deadline."""


class MigrationFailedError(PartywallError):
    """PostgreSQL refused a migration."""


class LoginUnfitError(PartywallError):
    """The login could do more than its role, or less."""


class AdministratorNeededError(PartywallError):
    """Only a superuser can do this."""


class AppliedFileChangedError(PartywallError):
    """A migration file was changed after it had been applied."""


_CONFLICTS = frozenset({"40001", "40P01"})
_SHORTAGES = ("53", "57P", "08")
"""Out of disk, memory or connections; shut down or ended by an administrator; the connection is gone."""


def is_conflict(error: BaseException) -> bool:
    """Return whether PostgreSQL took a transaction back for another's sake: serialization failure or deadlock."""
    return _sqlstate(error) in _CONFLICTS


def is_shortage(error: BaseException) -> bool:
    """Return whether it is PostgreSQL that has trouble, whatever it was asked: no room, no connection."""
    return isinstance(_driver_error(error), DriverError) and (
        getattr(error, "connection_invalidated", False) or (_sqlstate(error) or "").startswith(_SHORTAGES)
    )


def _driver_error(error: BaseException) -> BaseException | None:
    # SQLAlchemy's errors carry the driver's as `orig`.
    return getattr(error, "orig", error)


def _sqlstate(error: BaseException) -> str | None:
    found = _driver_error(error)
    return found.sqlstate if isinstance(found, DriverError) else None


def _known() -> dict[str, type[PartywallError]]:
    return {kind.sqlstate: kind for kind in PartywallError.__subclasses__() if kind.sqlstate is not None}


def from_database(error: BaseException) -> PartywallError | None:
    """Return our own error for what PostgreSQL raised, or None when the error is not one of ours.

    The fact `position` says which job of a batch is wrong, from 0.
    """
    if not isinstance(error, DriverError) or error.sqlstate is None:
        return None
    kind = _known().get(error.sqlstate)
    if kind is None:
        return None
    place = error.diag.message_detail or ""
    facts = {"position": int(place)} if place.isdecimal() else {}
    return kind(error.diag.message_primary, hint=error.diag.message_hint, **facts)
