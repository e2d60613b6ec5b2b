"""Supervisor's control socket, typed. The package and XML-RPC have no types: they stay in this file."""

import xmlrpc.client
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport

from cli.stack.errors import StackStartError, SupervisorGoneError

# Do not hold the connection until the process has followed: the caller watches `states()`.
_AT_ONCE = False


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
        self._socket = socket

    def answers(self) -> bool:
        """Return whether a supervisor is there that is not about to end."""
        try:
            self._call("getState")
        except SupervisorGoneError:
            return False
        return True

    def start(self, name: str) -> None:
        """Start a process; returns before it has proved to run, and also when it ended at once.

        Raises:
            StackStartError: its program is not there or may not be run.
        """
        try:
            self._call("startProcess", name, _AT_ONCE)
        except xmlrpc.client.Fault as fault:
            # Ending at once shows in `states()`, like ending later.
            if fault.faultCode not in (Faults.ALREADY_STARTED, Faults.SPAWN_ERROR):
                raise StackStartError(f"{name} could not be started: {fault.faultString}") from fault

    def stop(self, name: str) -> None:
        """Tell a process to stop; returns before it has."""
        try:
            self._call("stopProcess", name, _AT_ONCE)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.NOT_RUNNING:
                raise

    def states(self) -> dict[str, ProcessStatus]:
        """Return every process by name."""
        return {info["name"]: _status(info) for info in self._call("getAllProcessInfo")}

    def shutdown(self) -> None:
        """Tell the supervisor to stop whatever still runs, and to end."""
        with suppress(SupervisorGoneError):  # it is at it already
            self._call("shutdown")

    def _call(self, method: str, *arguments: object) -> Any:
        # A connection per call: after a failed one, this transport refuses every later one as out of order.
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            # The host is ignored; the transport goes to the socket.
            proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
            return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == Faults.SHUTDOWN_STATE:
                raise SupervisorGoneError("the stack is stopping", hint="Wait until it has stopped.") from fault
            raise
        except (OSError, HTTPException, xmlrpc.client.ProtocolError) as error:
            raise SupervisorGoneError(
                socket=self._socket, hint="`partywall down` clears up what it left; then start again."
            ) from error
        finally:
            transport.close()


def _status(info: dict[str, Any]) -> ProcessStatus:
    state = State(info["statename"])
    uptime = max(0, info["now"] - info["start"]) if state is State.RUNNING else 0
    detail = info["spawnerr"] or (f"exit status {info['exitstatus']}" if state is State.EXITED else "")
    return ProcessStatus(state, info["pid"] or None, uptime, detail)
