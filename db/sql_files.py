"""The files of `sql/`: what PostgreSQL executes, each with the digest that tells two versions apart."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "sql"


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One file. `path` is relative to `sql/`: `functions/claim.sql`."""

    path: str
    text: str

    @property
    def sha256(self) -> str:
        """Hex digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read(path: str) -> SqlFile:
    """Return the file at a path relative to `sql/`."""
    return SqlFile(path=path, text=(ROOT / path).read_text(encoding="utf-8"))


def functions() -> list[SqlFile]:
    """Return the functions, run again whenever their text changes."""
    return _folder("functions")


def app_migrations() -> list[SqlFile]:
    """Return the adopter's migrations, in the order of their names, each run once."""
    return _folder("app")


def _folder(name: str) -> list[SqlFile]:
    return [read(f"{name}/{path.name}") for path in sorted((ROOT / name).glob("*.sql"))]
