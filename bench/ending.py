"""Running a measurement in a process of its own, which gets the time to stop all that it started."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

STOP_SECONDS = 30.0


def run_to_end(command: Sequence[str], *, cwd: Path | None = None) -> int:
    """Return the exit code of a command. Interrupted, it is told to end and waited for, not killed."""
    with subprocess.Popen(command, cwd=cwd) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            process.wait(STOP_SECONDS)
            raise
