"""One question, or many, to the catalog: what is judged, and by what, is bound; the scope is worked out once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, Connection, Row, Text, bindparam, text

from db import sql_files
from db.shipped_functions import shipped_functions_json


def ask(connection: Connection, query: str, *, schemas: Sequence[str], logins: Sequence[str]) -> Sequence[Row[Any]]:
    """Return the rows of a query that may use every file of `sql/audit/scope/` as a table of its name."""
    # WITH RECURSIVE, because its members may then stand in any order.
    members = ",\n".join(f"{_name(file.path)} as (\n{file.text}\n)" for file in sql_files.files_in("audit/scope"))
    statement = text(f"with recursive\n{members}\n{query}").bindparams(
        bindparam("schemas", list(schemas), ARRAY(Text)),
        bindparam("logins", list(logins), ARRAY(Text)),
        bindparam("shipped_functions", shipped_functions_json(), Text),
    )
    return connection.execute(statement).all()


def _name(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".sql")
