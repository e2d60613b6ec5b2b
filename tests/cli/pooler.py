"""What a pooler looks like to a client: the backend's pid told at login is not the one that answers later."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

# BackendKeyData: the message that tells a client its backend's pid and the key to cancel it. 12 bytes follow the K.
_KEY_DATA = b"K\x00\x00\x00\x0c"


@contextmanager
def pooler_before(url: str) -> Iterator[str]:
    """Forward connections to the URL's server while the block runs; yield the URL of the way through here."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        raise ValueError("the URL names no host and port")
    listener = socket.create_server(("127.0.0.1", 0))
    through = parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{listener.getsockname()[1]}"))
    target = (parts.hostname, parts.port)
    acceptor = threading.Thread(target=_accept, args=(listener, target))
    acceptor.start()
    try:
        yield through.geturl()
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # closing alone would leave accept() asleep
        acceptor.join()
        listener.close()


def _accept(listener: socket.socket, target: tuple[str, int]) -> None:
    lines = []
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            break
        server = socket.create_connection(target)
        lines += [
            threading.Thread(target=_forward, args=(client, server, False)),
            threading.Thread(target=_forward, args=(server, client, True)),
        ]
        for line in lines[-2:]:
            line.start()
    for line in lines:
        line.join()


def _forward(source: socket.socket, sink: socket.socket, is_server: bool) -> None:
    with source:
        while data := source.recv(65536):
            if is_server and (found := data.find(_KEY_DATA)) >= 0:
                pid = found + len(_KEY_DATA)
                data = data[:pid] + (2**31 - 1).to_bytes(4, "big") + data[pid + 4 :]
            try:
                sink.sendall(data)
            except OSError:
                break
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return
