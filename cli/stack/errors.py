"""What can go wrong between `partywall up` and a running stack."""

from collections.abc import Sequence
from pathlib import Path

from db.errors import PartywallError


class StackAlreadyRunningError(PartywallError):
    """A stack is already running from this home."""


class StackBusyError(PartywallError):
    """Another `partywall up` or `partywall down` is at work in this home."""


class StackStartError(PartywallError):
    """A process of the stack did not come up; what had been started was stopped again."""

    @classmethod
    def of(cls, process: str, reason: str, *, log: Path, tail: Sequence[str]) -> "StackStartError":
        """Return the error that shows what `process` wrote last."""
        lines = "".join(f"\n    {line}" for line in tail) or " nothing."
        return cls(f"{process} {reason}", log=log, hint=f"The last it wrote:{lines}")


class SupervisorGoneError(PartywallError):
    """The stack's supervisor does not answer: it is not there yet, or was killed."""


class StackStopError(PartywallError):
    """Processes of the stack outlived the order to stop, and being killed."""


class HomeUnusableError(PartywallError):
    """The home directory, or what stands in it, cannot be used as it is."""


class ServerMissingError(PartywallError):
    """A server program that was asked for is not installed."""


class ServersIncompleteError(PartywallError):
    """A PostgreSQL of your own is set for some roles and not for others."""
