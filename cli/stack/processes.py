"""Processes by identity, so that a recycled pid is never mistaken for one of ours."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from cli.stack.deadline import wait_until

# The system computes a start time from the clock, which may be set in between; a pid is not recycled that
# fast.
_SAME_START_SECONDS = 2.0


@dataclass(frozen=True)
class ProcessIdentity:
    """A pid together with the moment its process started (Unix time)."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """Return the identity of a process that runs now."""
        return cls(pid, psutil.Process(pid).create_time())

    def is_alive(self) -> bool:
        """Return whether this very process still runs. One that ended and was not yet collected does not."""
        try:
            process = psutil.Process(self.pid)
            return self.is_at(process) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def is_at(self, process: psutil.Process) -> bool:
        """Return whether `process`, which has our pid, is this one and not a later one."""
        return abs(process.create_time() - self.started_at) < _SAME_START_SECONDS

    def send(self, number: int) -> None:
        """Send a signal, unless the process is gone."""
        if self.is_alive():
            with suppress(ProcessLookupError):  # it may end between the two lines, which is all we want
                os.kill(self.pid, number)


def session_members(leader: ProcessIdentity, home: Path) -> list[ProcessIdentity]:
    """Return what lives in the session that `leader` opened for the stack in `home`, without the leader.

    A session outlives its leader, so this finds what a killed supervisor left behind. PostgreSQL's backends
    open sessions of their own; they end with the server they belong to.
    """
    if psutil.boot_time() > leader.started_at + _SAME_START_SECONDS:
        return []  # all that was ours went down with the machine
    if psutil.pid_exists(leader.pid) and not leader.is_at(psutil.Process(leader.pid)):
        return []  # the pid is somebody else's now, which the system allows only once the session is empty
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != leader.pid and os.getsid(process.pid) == leader.pid and _belongs(process, home):
                found.append(ProcessIdentity(process.pid, process.create_time()))
        except (ProcessLookupError, psutil.NoSuchProcess, psutil.AccessDenied, PermissionError):
            continue  # gone while we looked, or another user's and so not ours
    return [process for process in found if process.is_alive()]


def _belongs(process: psutil.Process, home: Path) -> bool:
    # Redis writes its title over its environment, which then reads as empty: the session has to be proof
    # enough.
    environment = process.environ()
    return not environment or environment.get("PARTYWALL_HOME") == str(home)


def wait_gone(processes: Iterable[ProcessIdentity], *, timeout_seconds: float) -> list[ProcessIdentity]:
    """Return those of `processes` that are still there after `timeout_seconds`; at once when none is."""
    watched = list(processes)
    wait_until(lambda: not any(process.is_alive() for process in watched), timeout_seconds=timeout_seconds)
    return [process for process in watched if process.is_alive()]
