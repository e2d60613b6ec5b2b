"""HTTP by hand, for clients that stall, lie about lengths or leave."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.api.server import Server


class RawClient:
    """One connection on which a test says exactly what it wants."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def say(self, text: str | bytes) -> None:
        """Send this and nothing else."""
        self._connection.sendall(text.encode() if isinstance(text, str) else text)

    def hear(self) -> str:
        """Return what the server answered next; '' when it hung up."""
        return self._connection.recv(65536).decode()

    def hear_all(self) -> str:
        """Return everything until the server hangs up."""
        heard = ""
        while part := self.hear():
            heard += part
        return heard


@contextmanager
def raw_client(server: Server) -> Iterator[RawClient]:
    """Connect to the API; hang up when the block ends."""
    address = urlsplit(server.url)
    assert address.hostname is not None
    assert address.port is not None
    with socket.create_connection((address.hostname, address.port), timeout=15) as connection:
        yield RawClient(connection)


def put(name: str, key: str, *headers: str) -> str:
    """Return the head of an upload."""
    lines = (f"PUT /v1/files/{name} HTTP/1.1", "Host: api", f"Authorization: Bearer {key}", *headers)
    return "".join(f"{line}\r\n" for line in lines) + "\r\n"
