"""Who runs PostgreSQL. It refuses to run as root, so root hands it to a user without rights.

What that user needs is widened, and nothing else: the way to the data directory and to the binaries may be
passed through (`o+x` on the directories above, which shows nothing of what is in them), and the binaries may
be read.
"""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from cli.stack.errors import HomeUnusableError

LOGIN = "pgserver"


def unprivileged_user() -> str | None:
    """Return the system user that runs PostgreSQL, made if need be; None where we are not root."""
    if os.geteuid() != 0:
        return None
    if not _exists():
        useradd = shutil.which("useradd")
        if useradd is None:
            raise HomeUnusableError(
                "PostgreSQL refuses to run as root and there is no `useradd` to make a user for it",
                hint=f"Run `partywall up` as an ordinary user, or create the system user {LOGIN}.",
            )
        made = subprocess.run(
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", LOGIN],
            capture_output=True,
            text=True,
            check=False,
        )
        # Another stack on this machine may have made it in the meantime: what counts is whether it is there.
        if made.returncode != 0 and not _exists():
            raise HomeUnusableError(
                f"The system user for PostgreSQL could not be made: {made.stderr.strip()}",
                user=LOGIN,
                hint="Run `partywall up` as an ordinary user, or create that user.",
            )
    return LOGIN


def _exists() -> bool:
    try:
        pwd.getpwnam(LOGIN)
    except KeyError:
        return False
    return True


def let_through(path: Path, user: str) -> list[Path]:
    """Let `user` pass through every directory above `path`; return those that had to be made `o+x`."""
    uid = pwd.getpwnam(user).pw_uid
    widened = []
    for directory in path.resolve().parents:
        now = directory.stat()
        if now.st_uid == uid or now.st_mode & stat.S_IXOTH:
            continue
        directory.chmod(stat.S_IMODE(now.st_mode) | stat.S_IXOTH)
        widened.append(directory)
    return widened


def let_read(tree: Path) -> None:
    """Let everybody read what is below `tree`, and run what its owner may run."""
    for path in [tree, *tree.rglob("*")]:
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
