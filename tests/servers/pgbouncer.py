"""A real PgBouncer for tests, as `deploy/pgbouncer.ini` configures it."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cli.stack.child import running_child
from cli.stack.ports import HOST, any_free_port
from cli.stack.postgres import EmbeddedPostgres
from cli.stack.system_user import unprivileged_user
from tests.servers.missing import find_program

ROOT = Path(__file__).resolve().parents[2]
DEPLOYED = ROOT / "deploy/pgbouncer.ini"

BUILT = ROOT / "build/pgbouncer/pgbouncer"
"""What `.ci/build-pgbouncer` leaves: a version newer than the package's."""


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer."""

    port: int
    version: str
    log: Path

    def url(self, direct: str) -> str:
        """Return the DSN that goes where `direct` goes, through the pooler."""
        parts = urlsplit(direct)
        return parts._replace(netloc=f"{parts.username}:{parts.password}@{HOST}:{self.port}").geturl()


def programs() -> dict[str, Path]:
    """Return the installed programs by where they come from. The package's is named also where it is missing."""
    found = {"packaged": Path("pgbouncer")}
    if BUILT.exists():
        found["built"] = BUILT
    return found


@contextmanager
def pgbouncer(
    postgres: EmbeddedPostgres, userlist: str, *, program: str = "packaged", **settings: object
) -> Iterator[Pooler]:
    """Run a pooler in front of `postgres` while the block runs. `settings` come after those of the deployed file.

    Raises:
        ServerMissingError: PgBouncer is not installed.
    """
    path = find_program("pgbouncer") if program == "packaged" else str(programs()[program])
    port = any_free_port()
    # Not in pytest's own folder: that is closed to the user as whom it runs when root runs the tests.
    with tempfile.TemporaryDirectory(prefix="partywall-pgbouncer-") as place:
        directory = Path(place)
        directory.chmod(0o755)
        (directory / "userlist.txt").write_text(userlist)
        configuration = directory / "pgbouncer.ini"
        configuration.write_text(
            _configuration(postgres, {"listen_port": port, "auth_file": directory / "userlist.txt"} | settings)
        )
        with running_child(
            "pgbouncer",
            [path, *_as_nobody_special(), str(configuration)],
            log=directory / "pgbouncer.log",
            is_ready=lambda: _listens(port),
            ready_within_seconds=10,
            environment={"PATH": os.environ.get("PATH", os.defpath)},
        ):
            yield Pooler(port=port, version=_version(path), log=directory / "pgbouncer.log")


def _as_nobody_special() -> list[str]:
    # It refuses to stay root.
    user = unprivileged_user()
    return [] if user is None else ["--user", user]


def _configuration(postgres: EmbeddedPostgres, settings: Mapping[str, object]) -> str:
    # The deployed file ends in the section [pgbouncer]; to open that again would forget what it said.
    return (
        f"%include {DEPLOYED}\n"
        + "".join(f"{name} = {value}\n" for name, value in settings.items())
        + f"[databases]\n* = host={HOST} port={postgres.port}\n"
    )


def _version(path: str) -> str:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[1]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
