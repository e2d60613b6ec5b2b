"""What the command line answers a script with."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The status a command ends with. docs/reference/cli.md explains each; scripts depend on the numbers."""

    OK = 0
    FAILED = 1
    """The thing asked for was tried and failed: a job, a migration, a check."""
    USAGE = 2
    """An argument or a setting is missing or malformed; nothing was tried."""
    REFUSED = 3
    """Well-formed, but not now or not for this: unknown, suspended, taken, already running, other schema."""
    UNREACHABLE = 4
    """A server did not answer or did not let us in."""
    TIMED_OUT = 124
    """The deadline passed first, as timeout(1) says it."""
    INTERRUPTED = 130
    """Ctrl-C, as shells say it."""
