"""A TCP proxy that lets somebody read along."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

HOST = "127.0.0.1"


class Reader(Protocol):
    """Reads one connection along. Called before the bytes are passed on, so it knows a question before its answer."""

    def asked(self, data: bytes) -> None:
        """Hear what the client says."""

    def answered(self, data: bytes) -> None:
        """Hear what the server says."""

    def closed(self) -> None:
        """Hear that either side has hung up."""


Upstream = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""


class Tap:
    """Listens on a free port of the loopback interface and forwards to a server."""

    def __init__(self, upstream: Upstream, new_reader: Callable[[], Reader]) -> None:
        self._upstream = upstream
        self._new_reader = new_reader
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    @contextmanager
    def open(self) -> Iterator["Tap"]:
        """Forward while the block runs; then hang up on everybody."""
        acceptor = threading.Thread(target=self._accept, daemon=True)
        acceptor.start()
        try:
            yield self
        finally:
            # Closing alone would leave accept() asleep.
            self._listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            self._listener.close()
            with self._lock:
                for end in self._ends:
                    with suppress(OSError):  # hung up already
                        end.shutdown(socket.SHUT_RDWR)
            for thread in self._threads:
                thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = self._connect()
            except OSError:
                # Down or not there yet: the client sees the connection close, and tries again.
                client.close()
                continue
            thread = threading.Thread(target=self._carry, args=(client, server, self._new_reader()), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _connect(self) -> socket.socket:
        if isinstance(self._upstream, str):
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._upstream)
            return server
        return socket.create_connection(self._upstream, timeout=None)

    def _carry(self, client: socket.socket, server: socket.socket, reader: Reader) -> None:
        with self._lock:
            self._ends |= {client, server}
        answers = threading.Thread(target=self._forward, args=(server, client, reader.answered), daemon=True)
        answers.start()
        self._forward(client, server, reader.asked)
        answers.join()
        reader.closed()
        with self._lock:
            self._ends -= {client, server}
        client.close()
        server.close()

    @staticmethod
    def _forward(source: socket.socket, target: socket.socket, read: Callable[[bytes], None]) -> None:
        for end in (source, target):
            if end.family != socket.AF_UNIX:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):  # either side is gone, which ends both
            while data := source.recv(65536):
                read(data)
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
