"""The home directory: where the embedded stack keeps its state between two runs."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from cli.stack.private_file import read_json, write_private, write_private_json


@dataclass(frozen=True)
class Home:
    """The layout below `root`, an absolute path. Only `create()` and the writing methods touch the disk."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def broker(self) -> Path:
        return self.root / "broker"

    @property
    def beat(self) -> Path:
        return self.root / "beat"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def env(self) -> Path:
        return self.root / "env"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    def create(self) -> None:
        """Make what is missing, closed to others: 0700 here and below.

        The one exception is made by the embedded PostgreSQL when root runs it: see `system_user.let_through`.
        """
        if not self.root.exists():
            self.root.mkdir(mode=0o700, parents=True)
        for directory in (self.broker, self.beat, self.logs, self.run):
            directory.mkdir(mode=0o700, exist_ok=True)
        ignore = self.root / ".gitignore"  # passwords stand here: it must not slip into an adopter's commit
        if not ignore.exists():
            ignore.write_text("*\n")

    def password(self, name: str) -> str:
        """Return the password of `name`, made by the first call and then kept. URL-safe, 256 bits."""
        path = self.root / "secrets.json"
        passwords = read_json(path)
        if name not in passwords:
            passwords[name] = secrets.token_urlsafe(32)
            write_private_json(path, passwords)
        return str(passwords[name])

    def settings(self) -> dict[str, str]:
        """Return what the file `env` sets, empty before the first `up`."""
        return {name: value or "" for name, value in dotenv_values(self.env, interpolate=False).items()}

    def write_settings(self, settings: Mapping[str, str]) -> None:
        """Replace the file `env` (dotenv, 0600): how every process and the CLI find the stack."""
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        write_private(self.env, "# Written by `partywall up`; overwritten by the next one.\n" + "".join(lines))
