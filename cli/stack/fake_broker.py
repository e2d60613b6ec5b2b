"""`python -m cli.stack.fake_broker --port N`: Redis written in Python, where no real server is at hand.

For the demo only: it asks for no password, keeps nothing on disk and moves about a third of what a real
server does.
"""

import argparse
import signal
import threading

from fakeredis import TcpFakeServer
from fakeredis._clients import _tcp_server

from cli.stack.ports import HOST

# A reply goes out in two writes. With Nagle's algorithm the second waits for the client's delayed
# acknowledgement, about 47 ms a message: 21 jobs/s instead of 320. fakeredis offers no public switch, hence
# the private path and its pin.
_tcp_server.TCPFakeRequestHandler.disable_nagle_algorithm = True


def serve(port: int) -> None:
    """Serve on the loopback interface until SIGTERM or SIGINT."""
    server = TcpFakeServer((HOST, port))
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
