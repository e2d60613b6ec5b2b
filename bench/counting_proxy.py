"""A TCP proxy in front of a server that counts round trips and can cut the line."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Self
from urllib.parse import urlsplit, urlunsplit

# PostgreSQL's Flush. psycopg sends one behind a pipeline's Sync and waits for no answer of its own.
_FLUSH = b"H\x00\x00\x00\x04"


@dataclass
class RoundTrips:
    """How often a client spoke and then had to wait for the server."""

    count: int = 0


@dataclass
class _Line:
    """One client's connection through the proxy."""

    client: socket.socket
    server: socket.socket
    is_waiting: bool = False
    """The client has spoken, and the server has not answered yet."""


@dataclass
class CountingProxy:
    """Listens on a free port of the loopback interface and forwards to `host:port`, counting the turns."""

    host: str
    port: int
    _listener: socket.socket = field(init=False)
    _lines: list[_Line] = field(default_factory=list)
    _turns: int = 0
    _delay_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    @contextmanager
    def before(cls, url: str) -> Iterator[Self]:
        """Serve in front of a URL's host and port while the block runs."""
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise ValueError(f"the URL names no host and port: {parts.scheme}://...")
        proxy = cls(parts.hostname, parts.port)
        proxy._listener = socket.create_server(("127.0.0.1", 0))
        acceptor = threading.Thread(target=proxy._accept, daemon=True)
        acceptor.start()
        try:
            yield proxy
        finally:
            # Closing alone would leave accept() asleep.
            proxy._listener.shutdown(socket.SHUT_RDWR)
            proxy._listener.close()
            proxy.cut()
            acceptor.join()

    def url(self, url: str) -> str:
        """Return the URL with the proxy's address in place of the server's."""
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        return urlunsplit(parts._replace(netloc=f"{login}@{address}" if login else address))

    @contextmanager
    def counting(self) -> Iterator[RoundTrips]:
        """Give the number of round trips made in the block, over all lines, once the block is over."""
        made = RoundTrips()
        before = self._turns
        yield made
        made.count = self._turns - before

    @contextmanager
    def delaying(self, seconds: float) -> Iterator[None]:
        """Hold every chunk back for `seconds` while the block runs, in both directions: a network in between."""
        self._delay_seconds = seconds
        try:
            yield
        finally:
            self._delay_seconds = 0.0

    def cut(self) -> None:
        """Sever every open line, in both directions, without a goodbye."""
        with self._lock:
            lines, self._lines = self._lines, []
        for line in lines:
            for end in (line.client, line.server):
                with suppress(OSError):  # the other end was faster
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            line = _Line(client, socket.create_connection((self.host, self.port)))
            for end in (line.client, line.server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._lines.append(line)
            threading.Thread(target=self._forward_requests, args=(line,), daemon=True).start()
            threading.Thread(target=self._forward_answers, args=(line,), daemon=True).start()

    def _forward_requests(self, line: _Line) -> None:
        with line.client, self._carrier(line.server) as carry:
            while chunk := _received(line.client):
                with self._lock:
                    if not line.is_waiting and chunk != _FLUSH:
                        line.is_waiting = True
                        self._turns += 1
                carry(chunk)
        _hang_up(line.server)

    def _forward_answers(self, line: _Line) -> None:
        with line.server, self._carrier(line.client) as carry:
            while chunk := _received(line.server):
                with self._lock:
                    line.is_waiting = False
                carry(chunk)
        _hang_up(line.client)

    @contextmanager
    def _carrier(self, end: socket.socket) -> Iterator[Callable[[bytes], None]]:
        """Give a function that delivers a chunk after the delay, without holding up the chunk behind it."""
        under_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

        def deliver() -> None:
            while (arrival := under_way.get())[1]:
                time.sleep(max(0.0, arrival[0] - time.monotonic()))
                _send(end, arrival[1])

        def carry(chunk: bytes) -> None:
            if self._delay_seconds:
                under_way.put((time.monotonic() + self._delay_seconds, chunk))
            else:
                _send(end, chunk)

        courier = threading.Thread(target=deliver, daemon=True)
        courier.start()
        try:
            yield carry
        finally:
            under_way.put((0.0, b""))
            courier.join()


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(65536)
    except OSError:
        return b""


def _send(end: socket.socket, chunk: bytes) -> None:
    with suppress(OSError):  # cut meanwhile; the next recv() ends the thread
        end.sendall(chunk)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):  # already closed
        end.shutdown(socket.SHUT_WR)
