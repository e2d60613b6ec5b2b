"""The API as its own process: `python -m api`, as it runs in production."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from cli.stack.ports import any_free_port
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Server:
    """One running API and what it wrote so far."""

    url: str
    log: Path

    def client(self, key: str | None = None) -> httpx.Client:
        """Return a client, with a key if one is given. The caller closes it."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20)

    def output(self) -> str:
        """All that the process wrote."""
        return self.log.read_text(errors="replace")


def start(environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Start the process. Warnings are errors there too."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARTYWALL_")}
    with log.open("ab") as output:
        return subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                # fastapi-swagger reads its files so; Python 3.13 took the deprecation back.
                "-W",
                "ignore:open_binary is deprecated",
                "-m",
                "api",
            ],
            cwd=ROOT,
            env=clean | {"PARTYWALL_HOME": str(log.parent / "no-home")} | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def serving(environment: Mapping[str, str], directory: Path) -> Iterator[Server]:
    """Run an API on a free port until the block ends; it has to end by itself when it is told to."""
    port = any_free_port()
    server = Server(url=f"http://127.0.0.1:{port}", log=directory / f"api-{port}.log")
    process = start({**environment, "PARTYWALL_API_PORT": str(port)}, server.log)

    def answers() -> bool:
        assert process.poll() is None, f"ended with {process.returncode}:\n{server.output()}"
        try:
            return httpx.get(f"{server.url}/healthz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, timeout_seconds=60, what="the API answers")
        yield server
        process.send_signal(signal.SIGTERM)
        code = process.wait(15)
        assert code in (0, -signal.SIGTERM), server.output()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
