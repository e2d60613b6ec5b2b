"""PostgreSQL from a wheel: one cluster in one directory, reached over TCP on the loopback interface only."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.stack import system_user
from cli.stack.child import running_child
from cli.stack.deadline import wait_until
from cli.stack.errors import HomeUnusableError, StackStartError
from cli.stack.ports import HOST
from cli.stack.postgres_binaries import choose_version, code_directories, installed_versions

SUPERUSER = "postgres"
DATABASE = "partywall"

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket's path may hold about 100 characters, a home's may be longer
    "shared_buffers": "128MB",
    "max_connections": "200",
    "timezone": "UTC",
    "password_encryption": "scram-sha-256",
    # A query whose client is gone (killed worker, cancelled request) ends within a second, with its locks.
    "client_connection_check_interval": "1s",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_statement": "none",
    # Tokens travel as bind parameters; they must not stand in a log, least of all beside an error.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
# For tests only: a crash of the machine may destroy the cluster, a crash of PostgreSQL still does not.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class EmbeddedPostgres:
    """A PostgreSQL cluster in `data_dir` with the database `partywall`, owned by the superuser `postgres`."""

    def __init__(self, data_dir: Path, port: int, password: str, durable: bool = True) -> None:
        self.data_dir = data_dir
        self.port = port
        self.durable = durable
        self.system_user = system_user.unprivileged_user()
        self.version = choose_version(data_dir)
        self.widened: list[Path] = []
        """Directories that `initialise()` had to let others pass through, because root runs us."""
        self._password = password
        self._bin = installed_versions()[self.version]

    def initialise(self) -> None:
        """Create the cluster and its database where there is none; otherwise leave it as it is."""
        if self.system_user is not None:
            self._let_in(self.system_user)
        if (self.data_dir / "PG_VERSION").exists():
            return
        if self.data_dir.exists() and any(self.data_dir.iterdir()):
            raise HomeUnusableError(
                "There is something in the way of the data directory",
                path=self.data_dir,
                hint="Move it elsewhere, or choose another PARTYWALL_HOME.",
            )
        # Built aside and renamed when whole, so that a crash half-way never leaves a cluster without its
        # database.
        unfinished = self.data_dir.with_name(self.data_dir.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        self._give_to_system_user(unfinished)
        self._init_cluster(unfinished)
        self._create_database(unfinished)
        if self.data_dir.exists():
            self.data_dir.rmdir()
        unfinished.rename(self.data_dir)

    def command(self) -> list[str]:
        """Return the command line that serves the cluster in the foreground, to be run as `system_user`."""
        settings = SETTINGS | ({} if self.durable else NOT_DURABLE)
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", str(self.data_dir), "-p", str(self.port), *options]

    def url(self, login: str, password: str, database: str = DATABASE) -> str:
        """Return the DSN of one login. The password must be URL-safe, as those of `Home.password` are."""
        return f"postgresql://{login}:{password}@{HOST}:{self.port}/{database}"

    def admin_url(self, database: str = DATABASE) -> str:
        """Return the superuser's DSN."""
        return self.url(SUPERUSER, self._password, database)

    def accepts_connections(self) -> bool:
        """Return whether a server answers on the port and takes connections. Asks for no password."""
        asked = self._client("pg_isready", "-q")
        return asked.returncode == 0

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """Return when the superuser can log in.

        Raises:
            StackStartError: not within the time, or the password was refused.
        """
        answered = wait_until(self.accepts_connections, timeout_seconds=timeout_seconds)
        login = self._client("psql", "-X", "-q", "-w", "-d", DATABASE, "-c", "select 1")
        if login.returncode != 0:
            reason = "refused the superuser" if answered else f"did not answer within {timeout_seconds:.0f} s"
            raise StackStartError(
                f"postgres {reason}",
                port=self.port,
                hint=f"It said: {login.stderr.strip() or 'nothing'}. Does secrets.json belong to this data?",
            )

    @contextmanager
    def running(self, timeout_seconds: float = 60) -> Iterator["EmbeddedPostgres"]:
        """Serve the cluster while the block runs, as a child process; stop it fast, then hard."""
        with running_child(
            "postgres",
            self.command(),
            log=self.data_dir.with_name(self.data_dir.name + ".log"),
            is_ready=self.accepts_connections,
            ready_within_seconds=timeout_seconds,
            environment=_clean_environment(),
            system_user=self.system_user,
            # INT rolls open transactions back and ends; QUIT leaves the clean-up to the next start.
            stop_signals=(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL),
        ):
            self.wait_until_ready(timeout_seconds)
            yield self

    def _let_in(self, user: str) -> None:
        for tree in code_directories():
            self.widened += system_user.let_through(tree, user)
        if (self._bin / "postgres").stat().st_mode & 0o005 != 0o005:  # installed under a strict umask
            for tree in code_directories():
                system_user.let_read(tree)
        self.data_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.widened += system_user.let_through(self.data_dir, user)

    def _init_cluster(self, directory: Path) -> None:
        with tempfile.NamedTemporaryFile("w", prefix="partywall-") as password_file:  # mode 0600
            password_file.write(self._password)
            password_file.flush()
            self._give_to_system_user(Path(password_file.name))
            self._run(
                "initdb",
                "--pgdata", str(directory),
                "--username", SUPERUSER,
                "--auth", "scram-sha-256",
                "--pwfile", password_file.name,
                "--encoding", "utf8",
                *self._locale_options(),
                *([] if self.durable else ["--no-sync"]),
            )  # fmt: skip

    def _locale_options(self) -> list[str]:
        # Order by code point, case by Unicode: the same on every machine, whatever its libc knows.
        if self.version >= 17:
            return ["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        return ["--locale", "C"]

    def _create_database(self, directory: Path) -> None:
        # Single-user mode needs no port and no password, so the cluster is whole before anybody can reach it.
        self._run(
            "postgres", "--single", "-D", str(directory), "-c", "exit_on_error=on", "postgres",
            stdin=f"create database {DATABASE}\n",
        )  # fmt: skip

    def _run(self, program: str, *arguments: str, stdin: str = "") -> None:
        """Run one of PostgreSQL's programs as the user that owns the data."""
        account = pwd.getpwnam(self.system_user) if self.system_user else None
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=_clean_environment(),
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
        if done.returncode != 0:
            log = self.data_dir.with_name(self.data_dir.name + ".log")
            log.write_text(done.stdout + done.stderr)
            tail = done.stderr.splitlines()[-20:]
            raise StackStartError.of("postgres", f"could not be initialised ({program})", log=log, tail=tail)

    def _client(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        where = ["-h", HOST, "-p", str(self.port), "-U", SUPERUSER]
        environment = _clean_environment() | {"PGPASSWORD": self._password, "PGCONNECT_TIMEOUT": "3"}
        return subprocess.run(
            [str(self._bin / program), *where, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )

    def _give_to_system_user(self, path: Path) -> None:
        if self.system_user is not None:
            account = pwd.getpwnam(self.system_user)
            os.chown(path, account.pw_uid, account.pw_gid)


def _clean_environment() -> dict[str, str]:
    # Without the PG* variables of whoever calls: PGPORT, PGDATA or PGSERVICE would send our programs
    # elsewhere.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
