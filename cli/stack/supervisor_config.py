"""The supervisor's configuration file and control socket."""

import os
import re
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.stack.errors import HomeUnusableError
from cli.stack.home import Home
from cli.stack.programs import Program

# A socket's path holds 108 bytes on Linux and 104 on macOS; the supervisor appends its pid while it makes the
# socket.
LONGEST_SOCKET_PATH = 90
LONGEST_TEMPORARY_FOLDER = 50


def socket_for(home: Home) -> Path:
    """Return a path for the control socket: in `run/`, or in a new private directory if that is too long."""
    near = home.run / "supervisor.sock"
    if len(os.fsencode(near)) <= LONGEST_SOCKET_PATH:
        return near
    # TMPDIR may be as long as the home is.
    folder = None if len(os.fsencode(tempfile.gettempdir())) <= LONGEST_TEMPORARY_FOLDER else "/tmp"  # noqa: S108
    return Path(tempfile.mkdtemp(prefix="partywall-", dir=folder)) / near.name


def remove_socket(home: Home, socket: Path) -> None:
    """Remove the control socket, and the directory that was made for it."""
    socket.unlink(missing_ok=True)
    if socket.parent != home.run and socket.parent.exists():
        socket.parent.rmdir()


def configuration(home: Home, programs: Sequence[Program], socket: Path) -> str:
    """Return the text of `supervisord.conf`. The supervisor itself stops `programs` in reverse order.

    Paths in the home are relative to it: the supervisor runs there, and takes a `%` in some of them for a
    placeholder however it is escaped.

    Raises:
        HomeUnusableError: a path cannot be written down in this format.
    """
    supervisord = {
        "logfile": _from(home, home.log("supervisor")),
        "logfile_maxbytes": "10MB",
        "logfile_backups": "1",
        "pidfile": _from(home, home.run / "supervisord.pid"),
        "silent": "true",
        "umask": "077",
    }
    if os.geteuid() == 0:
        supervisord["user"] = "root"  # said on purpose: without it, it warns that it runs as root
    interface = {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"}
    return "\n".join(
        [
            _section("supervisord", supervisord),
            _section("unix_http_server", {"file": _from(home, socket), "chmod": "0600"}),
            _section("rpcinterface:supervisor", interface),
            *(
                _program(program, priority, _from(home, home.log(program.name)))
                for priority, program in enumerate(programs, start=1)
            ),
        ]
    )


def _from(home: Home, path: Path) -> str:
    return str(path.relative_to(home.root) if path.is_relative_to(home.root) else path)


def _program(program: Program, priority: int, log: str) -> str:
    settings = {
        "command": shlex.join(program.command),
        "directory": str(program.directory),
        "priority": str(priority),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": "1",
        "stopsignal": program.stop_signal,
        "stopwaitsecs": str(program.stop_seconds),
        # The order to stop is for the parent: Celery's children would drop the job they are in. Killing is
        # for all.
        "stopasgroup": "false",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": log,
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": "3",
    }
    if program.system_user is not None:
        settings["user"] = program.system_user
    if program.environment:
        settings["environment"] = ",".join(f'{name}="{value}"' for name, value in program.environment.items())
    return _section(f"program:{program.name}", settings)


def _section(title: str, settings: Mapping[str, str]) -> str:
    for name, value in settings.items():
        # The format takes these as the start of a comment and has no way to quote them.
        if re.search(r"\s[;#]|[\r\n]", value):
            raise HomeUnusableError(
                "A path holds a blank followed by ; or #, which the supervisor cannot read",
                **{name: value},
                hint="Choose another PARTYWALL_HOME, or move the project.",
            )
    lines = [f"{name}={value.replace('%', '%%')}" for name, value in settings.items()]
    return "\n".join([f"[{title}]", *lines, ""])
