"""The files of `sql/`: what PostgreSQL executes, each with the digest that tells two versions apart."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from db.errors import PartywallError
from db.settings import DatabaseSettings

ROOT = Path(__file__).resolve().parent.parent / "sql"


class SameNameError(PartywallError):
    """Two migrations have the same name."""


class AppSqlFolderMissingError(PartywallError):
    """PARTYWALL_APP_SQL_FOLDER names a folder that is not there."""


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
    return SqlFile(path=path, text=_text(ROOT / path))


def functions() -> list[SqlFile]:
    """Return the functions, run again whenever their text changes."""
    return files_in("functions")


def app_migrations() -> list[SqlFile]:
    """Return the adopter's migrations, in the order of their names, each run once.

    They stand in `sql/app/` and in the folder that `PARTYWALL_APP_SQL_FOLDER` names.

    Raises:
        AppSqlFolderMissingError: it is not there. Taken for an empty one, its files would seem to be newer code's.
        SameNameError: both folders have a file of the same name.
    """
    ours = files_in("app")
    folder = DatabaseSettings.load().app_sql_folder
    if folder is None:
        return ours
    if not folder.is_dir():
        raise AppSqlFolderMissingError(
            folder=folder.absolute(), hint="Correct the setting; a relative path starts where the command is run."
        )
    theirs = [SqlFile(path=f"app/{path.name}", text=_text(path)) for path in sorted(folder.glob("*.sql"))]
    twice = {file.path for file in ours} & {file.path for file in theirs}
    if twice:
        raise SameNameError(files=sorted(twice), folder=folder, hint="Rename the ones in the folder of your own.")
    return sorted([*ours, *theirs], key=lambda file: file.path)


def files_in(folder: str) -> list[SqlFile]:
    """Return the files of a folder of `sql/`, in the order of their names; not those of its own folders."""
    return [read(f"{folder}/{path.name}") for path in sorted((ROOT / folder).glob("*.sql"))]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
