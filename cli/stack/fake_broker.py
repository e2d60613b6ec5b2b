"""`python -m cli.stack.fake_broker --port N`: Redis written in Python, where no real server is at hand.

For the demo only: it asks for no password, keeps nothing on disk and moves about a third of what a real
server does.
"""

import argparse
import signal
import threading
from typing import Any

from fakeredis import TcpFakeServer
from fakeredis._clients._tcp_server import TCPFakeRequestHandler
from redis import ResponseError

from cli.stack.ports import HOST


class _Connection(TCPFakeRequestHandler):
    """One client's connection, with two corrections to fakeredis 2.40, which has no public way to make them."""

    # A pipeline's replies are as many small writes. With Nagle's algorithm each waits for the client's delayed
    # acknowledgement, about 44 ms: 21 jobs/s instead of 320.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        read = self.current_client.read_response

        def read_reply_or_error(*arguments: Any, **options: Any) -> Any:
            # Left to itself, it answers an error and hangs up, and the client's next command meets a closed
            # connection: after NOSCRIPT, for one, which is how every client finds out that it must load a script.
            try:
                return read(*arguments, **options)
            except ResponseError as error:
                return error

        self.current_client.read_response = read_reply_or_error  # type: ignore[method-assign]


def serve(port: int) -> None:
    """Serve on the loopback interface until SIGTERM or SIGINT."""
    server = TcpFakeServer((HOST, port))
    server.RequestHandlerClass = _Connection
    server.daemon_threads = True  # an idle client must not keep the process alive

    def stop(*_: object) -> None:
        # From a thread of its own: shutdown() waits for serve_forever(), which is what the signal
        # interrupted.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"fakeredis on {HOST}:{port}: for the demo only. No password, nothing is kept on disk.", flush=True)
    server.serve_forever()
    server.server_close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A broker written in Python, for the demo only.")
    parser.add_argument("--port", type=int, required=True)
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
