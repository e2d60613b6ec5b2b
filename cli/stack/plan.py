"""One `up`, thought through: which servers, on which ports, under which passwords, in which order."""

import os
from pathlib import Path

from cli.stack.broker import Broker, BrokerKind
from cli.stack.home import Home
from cli.stack.own_servers import (
    ADMIN_VARIABLE,
    BROKER_VARIABLE,
    RESULT_BACKEND_VARIABLE,
    OwnServers,
    without_credentials,
)
from cli.stack.ports import HOST, PortBook
from cli.stack.postgres import EmbeddedPostgres
from cli.stack.programs import Program
from cli.stack.services import PROJECT, services
from cli.stack.supervision import OnStep
from db import migrate
from db.dsn import setting_name
from db.roles import Role

_SQL_FOLDER = "PARTYWALL_APP_SQL_FOLDER"
TASK_VARIABLES = (
    "PARTYWALL_TASK_MODULES",
    "PARTYWALL_QUEUES",
    _SQL_FOLDER,
    RESULT_BACKEND_VARIABLE,
)


class Plan:
    """One `up`: which servers it uses, on which ports, under which passwords."""

    def __init__(self, home: Home, *, durable: bool) -> None:
        self._home = home
        self._own = OwnServers.given(os.environ, home.settings())
        ports = PortBook(home.ports)
        self._postgres = self._broker = None
        if not self._own.databases:
            self._postgres = EmbeddedPostgres(
                home.postgres, ports.claim("postgres"), home.password("postgres"), durable
            )
        if self._own.broker is None:
            self._broker = Broker(home.broker, ports.claim("broker"), home.password("broker"))
        self._api_port = ports.claim("api")
        self._flower_port = ports.claim("flower")

    @property
    def _api_url(self) -> str:
        return f"http://{HOST}:{self._api_port}"

    @property
    def _flower_url(self) -> str:
        return f"http://{HOST}:{self._flower_port}"

    def programs(self, on_step: OnStep) -> list[Program]:
        """Return every process in the order of their start, the servers' directories made ready."""
        return [
            *self._postgres_program(on_step),
            *self._broker_program(on_step),
            *services(self._home, api_url=self._api_url, flower_port=self._flower_port),
        ]

    def _postgres_program(self, on_step: OnStep) -> list[Program]:
        if self._postgres is None:
            return []
        on_step(f"preparing PostgreSQL {self._postgres.version}")
        self._postgres.initialise()
        for directory in self._postgres.widened:
            user = self._postgres.system_user
            on_step(f"{directory} may now be passed through (o+x): started by root, PostgreSQL runs as {user}")
        return [
            Program(
                "postgres",
                self._postgres.command(),
                self._postgres.data_dir,
                stop_signal="INT",  # fast: roll back what is open. TERM would wait for every client to leave
                stop_seconds=30,
                system_user=self._postgres.system_user,
                is_ready=self._postgres.accepts_connections,
                ready_within_seconds=60,
            )
        ]

    def _broker_program(self, on_step: OnStep) -> list[Program]:
        if self._broker is None:
            return []
        on_step(f"preparing the broker ({self._broker.kind.value})")
        if self._broker.kind is BrokerKind.FAKEREDIS:
            on_step("fakeredis is for the demo only: no password, nothing on disk, slow. Better: install redis-server")
        self._broker.initialise()
        return [Program("broker", self._broker.command(), PROJECT, is_ready=self._broker.answers)]

    def migrate(self, on_step: OnStep) -> None:
        """Bring the database to this code; the embedded one gets its roles first."""
        if self._postgres is None:
            migrate.migrate(self._own.databases[Role.MIGRATOR])
        else:
            self._postgres.wait_until_ready(10)
            migrate.bootstrap(self._postgres.admin_url(), logins={role: self._home.password(role) for role in Role})
            migrate.migrate(self._database_url(self._postgres, Role.MIGRATOR))
        on_step("the schema is up to date")

    def _database_url(self, postgres: EmbeddedPostgres, role: Role) -> str:
        return postgres.url(role.login, self._home.password(role))

    def settings(self) -> dict[str, str]:
        """Return what the stack provides, for the file `env`. Your own servers stay in your environment."""
        settings = {
            "PARTYWALL_API_HOST": HOST,
            "PARTYWALL_API_PORT": str(self._api_port),
            "PARTYWALL_API_URL": self._api_url,
            "PARTYWALL_FLOWER_URL": self._flower_url,
        }
        # What the processes were told about tasks, the commands beside them have to know too.
        settings |= {name: os.environ[name] for name in TASK_VARIABLES if name in os.environ}
        if settings.get(_SQL_FOLDER):
            # They run elsewhere: to them a relative path is another folder.
            settings[_SQL_FOLDER] = str(Path(settings[_SQL_FOLDER]).absolute())
        if self._postgres is not None:
            settings[ADMIN_VARIABLE] = self._postgres.admin_url()
            settings |= {setting_name(role): self._database_url(self._postgres, role) for role in Role}
        if self._broker is not None:
            settings[BROKER_VARIABLE] = self._broker.url
        return settings

    def addresses(self) -> dict[str, str]:
        """Return where each part is, fit to be shown."""
        database = self._postgres.admin_url() if self._postgres else self._own.databases[Role.API]
        broker = self._broker.url if self._broker else self._own.broker or ""
        return {
            "api": self._api_url,
            "api_docs": f"{self._api_url}/docs",
            "flower": self._flower_url,
            "postgres": without_credentials(database),
            "broker": without_credentials(broker),
            "logs": str(self._home.logs),
            "home": str(self._home.root),
        }
