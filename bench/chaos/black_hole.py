"""A TCP proxy whose line can go silent: connections stay open, what is sent arrives later or never."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self
from urllib.parse import urlsplit, urlunsplit


class BlackHole:
    """Listens on a free port of the loopback interface and forwards to `host:port`, except while it is silent."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._speaks = threading.Event()
        self._speaks.set()
        self._stranded: list[threading.Event] = []
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False

    @classmethod
    @contextmanager
    def before(cls, url: str) -> Iterator[Self]:
        """Serve in front of a URL's host and port while the block runs."""
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise ValueError(f"the URL names no host and port: {parts.scheme}://...")
        proxy = cls(parts.hostname, parts.port)
        threading.Thread(target=proxy._accept, daemon=True).start()
        try:
            yield proxy
        finally:
            proxy._close()

    def url(self, url: str) -> str:
        """Return the URL with the proxy's address in place of the server's."""
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        return urlunsplit(parts._replace(netloc=f"{login}@{address}" if login else address))

    def fall_silent(self) -> None:
        """Let nothing through, in either direction; take new connections and answer none."""
        self._speaks.clear()

    def speak(self) -> None:
        """Deliver what was sent meanwhile, and everything from now on."""
        self._speaks.set()

    def strand(self) -> None:
        """Leave the connections that there are silent for good, as a firewall does that forgot them; serve new ones."""
        self._speaks.clear()
        self._stranded.append(self._speaks)
        self._speaks = threading.Event()
        self._speaks.set()

    def lead_to(self, url: str) -> None:
        """Close the connections that there are; new ones go to another server."""
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise ValueError(f"the URL names no host and port: {parts.scheme}://...")
        self._server = (parts.hostname, parts.port)
        self._hang_up()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        speaks = self._speaks
        with client:
            speaks.wait()
            try:
                server = socket.create_connection(self._server, timeout=5)
            except OSError:
                return  # the server is down: the client sees its connection closed
            server.settimeout(None)
            with server, self._open(client, server):
                back = threading.Thread(target=self._forward, args=(server, client, speaks), daemon=True)
                back.start()
                self._forward(client, server, speaks)
                back.join()

    @contextmanager
    def _open(self, *ends: socket.socket) -> Iterator[None]:
        with self._lock:
            self._ends.update(ends)
        try:
            yield
        finally:
            with self._lock:
                self._ends.difference_update(ends)

    def _forward(self, source: socket.socket, sink: socket.socket, speaks: threading.Event) -> None:
        with suppress(OSError):
            sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while chunk := source.recv(65536):
                speaks.wait()
                sink.sendall(chunk)
        # Also the news that the other end hung up has to wait until something gets through.
        speaks.wait()
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        for speaks in (*self._stranded, self._speaks):
            speaks.set()
        # Closing alone would leave accept() asleep.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up()

    def _hang_up(self) -> None:
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
