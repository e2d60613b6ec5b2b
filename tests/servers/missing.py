"""Which of the servers that only some tests need this machine has. `python -m tests.servers` asks before they run."""

import shutil
import sys
from collections.abc import Mapping

DEBIAN_PACKAGES: Mapping[str, str] = {
    "pgbouncer": "pgbouncer",
    "rabbitmq-server": "rabbitmq-server",
    "epmd": "rabbitmq-server",  # comes along with it
}
"""Program and the Debian package that brings it."""

# Debian puts servers where an ordinary user's PATH does not look.
_SEARCH = "/usr/sbin:/usr/local/sbin:/usr/lib/rabbitmq/bin"


class ServerMissingError(Exception):
    """A server that the test needs is not installed."""

    def __init__(self, *programs: str) -> None:
        packages = " ".join(dict.fromkeys(DEBIAN_PACKAGES[program] for program in programs))
        super().__init__(f"{' and '.join(programs)} not found. On Debian or Ubuntu: apt-get install {packages}")


def find_program(name: str) -> str:
    """Return where the program is.

    Raises:
        ServerMissingError: nowhere. A test that needs it fails; it is never skipped.
    """
    found = shutil.which(name) or shutil.which(name, path=_SEARCH)
    if found is None:
        raise ServerMissingError(name)
    return found


def missing_programs() -> list[str]:
    """Return those that this machine does not have."""
    missing = []
    for name in DEBIAN_PACKAGES:
        try:
            find_program(name)
        except ServerMissingError:
            missing.append(name)
    return missing


def main() -> None:
    """Say in one line what is missing and end with 1, or end in silence."""
    if missing := missing_programs():
        sys.exit(str(ServerMissingError(*missing)))
