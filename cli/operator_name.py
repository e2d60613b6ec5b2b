"""Who is at the terminal: what changes of limits and of a tenant's flow are signed with."""

import getpass
import os


def operator_name() -> str:
    """Return `operator/` and the user that the operating system knows, or its number where it has no name."""
    try:
        return f"operator/{getpass.getuser()}"
    except (OSError, KeyError):
        # In a container the user need not be in /etc/passwd.
        return f"operator/{os.getuid()}"
