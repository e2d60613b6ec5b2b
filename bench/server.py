"""A PostgreSQL of the measurement's own: migrated, with one tenant, and gone afterwards."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from db.context import TenantContext
from db.migrate import bootstrap, migrate
from db.roles import Role
from db.session import platform_connection
from db.tenants import create_tenant, open_tenant

PASSWORD = "bench-only"  # noqa: S105 - of a server that lives as long as this run


class _RoomyPostgres(EmbeddedPostgres):
    """One that keeps all tables of a measurement in memory: none is slower for having been read less lately.

    Nor for a checkpoint: there is none, unless a measurement asks for it.
    """

    def command(self) -> list[str]:
        settings = ("shared_buffers=1GB", "max_wal_size=16GB", "checkpoint_timeout=1h")
        return [*super().command(), *(word for each in settings for word in ("-c", each))]


@contextmanager
def running_server(*, durable: bool = True, roomy: bool = False) -> Iterator[EmbeddedPostgres]:
    """Serve a migrated database while the block runs. Without `durable` nothing waits for the disk."""
    kind = _RoomyPostgres if roomy else EmbeddedPostgres
    with tempfile.TemporaryDirectory(prefix="partywall-bench-") as directory:
        server = kind(Path(directory) / "data", any_free_port(), PASSWORD, durable=durable)
        server.initialise()
        with server.running():
            bootstrap(server.admin_url(), logins=dict.fromkeys(Role, PASSWORD))
            migrate(server.url(Role.MIGRATOR.login, PASSWORD))
            yield server


def forget_settings() -> None:
    """Take every setting of Partywall out of the environment, but for what says which servers to run."""
    for name in [name for name in os.environ if name.startswith("PARTYWALL_")]:
        if name not in ("PARTYWALL_BROKER_KIND", "PARTYWALL_POSTGRES_VERSION"):
            del os.environ[name]


def point_roles_at(urls: dict[Role, str]) -> None:
    """Let every role's engine of this process lead there. Dispose of the engines that lead elsewhere first."""
    for role, url in urls.items():
        os.environ[f"PARTYWALL_{role.value.upper()}_DATABASE_URL"] = url


def new_tenant() -> TenantContext:
    """Return an operator's context of a new tenant: good for an hour, longer than anything is measured."""
    with platform_connection(Role.OPERATOR) as connection:
        create_tenant(connection, slug="bench", name="Bench")
        return open_tenant(connection, "bench")
