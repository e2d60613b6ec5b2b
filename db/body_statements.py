"""What the SQL of a job's body may be: statements about rows. Not about tables, roles, locks on tables or plans."""

from typing import Any

from db.errors import PartywallError
from db.transaction_control import first_word, refuse_transaction_control, text_of

_ABOUT_ROWS = frozenset(
    (
        *("select", "insert", "update", "delete", "merge", "with", "values", "table", "call"),
        *("copy", "declare", "fetch", "move", "close", "prepare", "execute", "deallocate"),
        *("savepoint", "release", "rollback"),
        *("set", "reset", "show", "listen", "unlisten", "notify"),
    )
)


class BodyStatementError(PartywallError):
    """A job's SQL is about rows: it defines, grants, locks and explains nothing."""

    retryable = False


def refuse_in_a_body(query: Any) -> None:
    """Raise when a statement has no business in a job's body.

    PostgreSQL lets every role change its own password and its own defaults, lock each table it may write, and read from
    a plan how many rows others have. No right can be taken away for that, so it is not sent. Nor is a DO block, whose
    text could hold any of it.

    Raises:
        TransactionControlError, BodyStatementError: before anything was sent.
    """
    refuse_transaction_control(query)
    verb = first_word(query)
    # Nothing, or a select in parentheses: the server knows no other statement that does not begin with a word.
    if verb and verb not in _ABOUT_ROWS:
        raise BodyStatementError(
            statement=verb, hint="Define tables in sql/app/, and look at plans and locks as an operator, with psql."
        )


def may_change_settings(query: Any) -> bool:
    """Return whether a statement may set what later ones are understood by, for a transaction or for the session."""
    return first_word(query) in ("set", "reset") or "set_config" in text_of(query).lower()
