"""Ports on the loopback interface that nobody else is using."""

import socket
from pathlib import Path

from cli.stack.private_file import read_json, write_private_json

HOST = "127.0.0.1"

# Never a standard port: whoever has PostgreSQL on 5432 or Redis on 6379 wants it to stay theirs, also while
# it is down. Flower has no other user, so it keeps the port its own documentation gives.
PREFERRED = {"postgres": 54320, "broker": 63790, "api": 8400, "flower": 5555}


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.settimeout(1)
        # A listener on the wildcard address answers here too, and on macOS the bind below would not notice
        # it.
        if probe.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as probe:
        # Servers set this, so connections of a former run that linger in TIME_WAIT do not stop them.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def any_free_port() -> int:
    """Return a free port of the system's choice."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class PortBook:
    """The stack's ports, kept in a file so that a restart has the addresses of the run before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ports: dict[str, int] = {name: int(port) for name, port in read_json(path).items()}

    def claim(self, name: str) -> int:
        """Return a free port for `name` and remember it: the last run's, else the preferred one, else any."""
        taken = {port for owner, port in self._ports.items() if owner != name}
        candidates = [self._ports.get(name), PREFERRED.get(name)]
        port = next((p for p in candidates if p is not None and p not in taken and is_free(p)), None)
        while port is None or port in taken:
            port = any_free_port()
        self._ports[name] = port
        write_private_json(self._path, self._ports)
        return port
