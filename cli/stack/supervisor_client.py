"""Supervisor's control socket, typed. The package and XML-RPC have no types: they stay in this file."""

import xmlrpc.client
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport  # type: ignore[import-untyped]


class State(StrEnum):
    """Where a process is in its life, in supervisor's words."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    STOPPING = "STOPPING"
    EXITED = "EXITED"
    FATAL = "FATAL"
    UNKNOWN = "UNKNOWN"

    @property
    def is_over(self) -> bool:
        """Nothing runs under this name now."""
        return self in (State.STOPPED, State.EXITED, State.FATAL)

    @property
    def has_failed(self) -> bool:
        """It ended though nobody stopped it."""
        return self in (State.BACKOFF, State.EXITED, State.FATAL)


@dataclass(frozen=True)
class ProcessStatus:
    """One supervised process. `pid` is None when none runs; `uptime_seconds` counts from its last start."""

    state: State
    pid: int | None
    uptime_seconds: int
    detail: str
    """Why it could not be started or how it ended, in supervisor's words; empty if all is well."""


class SupervisorClient:
    """Talks to the supervisor that listens on `socket`. Not for use by several threads."""

    def __init__(self, socket: Path) -> None:
        # The host in the first argument is ignored; the transport goes to the socket.
        transport = SupervisorTransport(None, None, f"unix://{socket}")
        self._rpc: Any = xmlrpc.client.ServerProxy("http://localhost", transport=transport).supervisor

    def answers(self) -> bool:
        """Return whether a supervisor listens there."""
        try:
            self._rpc.getState()
        except (OSError, HTTPException, xmlrpc.client.Error):
            return False
        return True

    def start(self, name: str) -> None:
        """Start a process; returns before it has proved to run."""
        self._call_unless(Faults.ALREADY_STARTED, "startProcess", name)

    def stop(self, name: str) -> None:
        """Tell a process to stop; returns before it has."""
        self._call_unless(Faults.NOT_RUNNING, "stopProcess", name)

    def states(self) -> dict[str, ProcessStatus]:
        """Return every process by name."""
        return {info["name"]: _status(info) for info in self._rpc.getAllProcessInfo()}

    def shutdown(self) -> None:
        """Tell the supervisor to stop whatever still runs, and to end."""
        self._call_unless(Faults.SHUTDOWN_STATE, "shutdown")

    def _call_unless(self, harmless_fault: int, method: str, *names: str) -> None:
        try:
            # `False`: do not hold the socket until the process has followed; the caller watches `states()`.
            getattr(self._rpc, method)(*names, *([False] if names else []))
        except xmlrpc.client.Fault as fault:
            # A start of what cannot be started shows in `states()` as well, there with its reason.
            if fault.faultCode not in (harmless_fault, Faults.SPAWN_ERROR, Faults.ABNORMAL_TERMINATION):
                raise


def _status(info: dict[str, Any]) -> ProcessStatus:
    state = State(info["statename"])
    uptime = max(0, info["now"] - info["start"]) if state is State.RUNNING else 0
    detail = info["spawnerr"] or (f"exit status {info['exitstatus']}" if state is State.EXITED else "")
    return ProcessStatus(state, info["pid"] or None, uptime, detail)
