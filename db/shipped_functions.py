"""The platform's functions as `sql/functions/` defines them, to be compared with what a database holds."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass

from db import sql_files
from db.sql_files import SqlFile

_FUNCTION = re.compile(
    r"^create or replace function (?P<schema>\w+)\.(?P<name>\w+)\((?P<arguments>[^)]*)\)\n"
    r"(?P<options>.*?)\n(?:as \$\$(?P<body>.*?)\$\$;|begin atomic\n.*?^end;)",
    re.MULTILINE | re.DOTALL,
)
"""One spelling, that of our own files. A function spelled otherwise is told by the audit as one that nobody ships."""


@dataclass(frozen=True, slots=True)
class ShippedFunction:
    """What PostgreSQL keeps of a function: what decides how it behaves, not the names and defaults of its arguments."""

    path: str
    """The file that defines it: `functions/claim.sql`."""
    schema: str
    name: str
    arguments: list[str]
    """Types, as the file spells them; without those that are only returned."""
    volatility: str
    parallel: str
    is_definer: bool
    is_strict: bool
    is_leakproof: bool
    settings: list[str]
    """`search_path=pg_catalog, pg_temp`."""
    body_sha256: str
    """Hex digest of the text between the dollars; of no text where PostgreSQL keeps the body parsed."""
    is_parsed: bool


def shipped_functions() -> list[ShippedFunction]:
    """Return every function of every file, in the order of the files."""
    return [_parse(file, found) for file in sql_files.functions() for found in _FUNCTION.finditer(file.text)]


def shipped_functions_json() -> str:
    """Return them as one JSON array, as sql/audit/scope/shipped_functions.sql takes it."""
    return json.dumps([asdict(function) for function in shipped_functions()])


def _parse(file: SqlFile, found: re.Match[str]) -> ShippedFunction:
    options = found["options"].splitlines()
    settings = [option.removeprefix("set ") for option in options if option.startswith("set ")]
    return ShippedFunction(
        path=file.path,
        schema=found["schema"],
        name=found["name"],
        arguments=_types(found["arguments"]),
        volatility=next((each for each in options if each in ("immutable", "stable", "volatile")), "volatile"),
        parallel=next((each.split()[1] for each in options if each.startswith("parallel ")), "unsafe"),
        is_definer="security definer" in options,
        is_strict="strict" in options,
        is_leakproof="leakproof" in options,
        settings=[setting.replace(" = ", "=", 1) for setting in settings],
        body_sha256=hashlib.sha256((found["body"] or "").encode()).hexdigest(),
        is_parsed=found["body"] is None,
    )


def _types(arguments: str) -> list[str]:
    spelled = [argument.split() for argument in arguments.split(",")]
    # A name, a type, and perhaps `default ...`. What stands behind `out` is no argument to PostgreSQL.
    return [words[1] for words in spelled if words and words[0] != "out"]
