"""Taking a safeguard out, so that a run has to find it missing.

Every process asks at its start whether the database's functions are those that its code ships, so that nobody can alter
them behind its back. A run without a safeguard is therefore a run of a copy of the whole project, which was altered
before anything was installed. No code of the product knows of it.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.ending import run_to_end
from tasks.proof.processes import PROJECT

NO_FENCE: Final[Mapping[str, str]] = {
    # Asked for leave to commit, the database says nothing to an attempt that has lost its lease ...
    r"raise exception 'attempt % of job % no longer holds the lease'[^;]*;": "null;",
    # ... nor does the heartbeat, which would often stop it before it comes to that ...
    r"or job\.state <> 'running'\s+or job\.attempt <> [^\n]*\n": "\n",
    # ... and whose token would otherwise be over by then as well.
    r"<= statement_timestamp\(\) then": "<= statement_timestamp() - interval '1 day' then",
    # Its own process looks at the clock, too, and would stop it.
    r"time\.monotonic\(\) >= each\.expires_at": "each.expires_at < 0",
}
NO_LEASES: Final[Mapping[str, str]] = {
    # No lease ever runs out: the job of a worker that died stays where it is.
    r"lease_expires_at <= now\(\)": "lease_expires_at <= '-infinity'",
}
_CODE: Final = ("api", "bench", "cli", "db", "sql", "tasks", "tests", "workers", "celeryconfig.py", "pyproject.toml")


class SabotageError(Exception):
    """The code no longer says what was to be taken out: the sabotage has to follow it."""


_PLACES: Final = ("sql/functions/*.sql", "tasks/heart.py")


def take_out(project: Path, changes: Mapping[str, str]) -> None:
    """Change the files of a copy of the project that guard its jobs.

    Raises:
        SabotageError: something is in none of them.
    """
    for pattern, instead in changes.items():
        found = 0
        for file in sorted(each for place in _PLACES for each in project.glob(place)):
            text, count = re.subn(pattern, instead, file.read_text())
            if count:
                file.write_text(text)
                found += count
        if not found:
            raise SabotageError(f"nothing in {', '.join(_PLACES)} says {pattern}")


def run_copy(arguments: Sequence[str], *, fence: bool, leases: bool) -> int:
    """Run `python -m bench.chaos` with these arguments in a copy without the safeguards; return its exit code."""
    with tempfile.TemporaryDirectory(prefix="partywall-chaos-copy-") as directory:
        copy = Path(directory)
        for name in _CODE:
            _copy(PROJECT / name, copy / name)
        take_out(copy, {**({} if fence else NO_FENCE), **({} if leases else NO_LEASES)})
        return run_to_end([sys.executable, "-m", "bench.chaos", *arguments], cwd=copy)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
