"""Running a measurement as whoever types its command line does."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Run:
    """How it ended, and what it wrote."""

    code: int
    said: str
    complained: str


def run_module(*module: str, bound_seconds: float) -> Run:
    """Run `python -m module...`. The servers it starts end with it, also when it takes too long.

    Raises:
        subprocess.TimeoutExpired: it did.
    """
    command = [sys.executable, "-m", *module]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said, complained = process.communicate(timeout=bound_seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)  # not KILL, which subprocess.run() would send: nobody would stop them
            raise
    return Run(process.returncode, said, complained)
