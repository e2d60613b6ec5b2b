"""Telling a statement that ends a transaction from one that works inside it."""

import re
from typing import Any

from db.errors import PartywallError

_WORD = re.compile(r"[a-z_]+", re.IGNORECASE)
_LINE_END = re.compile(r"[\r\n]")
_ALWAYS = ("commit", "end", "abort", "begin", "start")


class TransactionControlError(PartywallError):
    """A job's SQL may not begin or end its transaction."""

    retryable = False


def refuse_transaction_control(query: Any) -> None:
    """Raise when a statement would end the transaction it stands in, and with it what fences its commit.

    Savepoints are fine. Only the first statement of a text is looked at: the others must not reach the server at all.

    Raises:
        TransactionControlError: before anything was sent.
    """
    text = text_of(query)
    first, rest = _next_word(text)
    if first in _ALWAYS or (first == "prepare" and _next_word(rest)[0] == "transaction"):
        raise _refusal(first)
    if first == "rollback":
        second, rest = _next_word(rest)
        if second in ("work", "transaction"):
            second, _ = _next_word(rest)
        if second != "to":
            raise _refusal(first)


def first_word(query: Any) -> str:
    """Return the word that says what kind of statement it is, in lower case; empty where there is none."""
    return _next_word(text_of(query))[0]


def may_hold_several(query: Any) -> bool:
    """Return whether a text could be more than one statement. A semicolon in a literal counts too."""
    return ";" in text_of(query).rstrip().removesuffix(";")


def refuse_several(query: Any) -> None:
    """Raise when a text could be more than one statement and nothing keeps the server from executing them all.

    Raises:
        TransactionControlError: before anything was sent.
    """
    if may_hold_several(query):
        raise TransactionControlError(
            "COPY and streams take one statement, and no semicolon in it", hint="Bind the value, or use execute()."
        )


def _refusal(statement: str) -> TransactionControlError:
    return TransactionControlError(
        statement=statement, hint="Use job.checkpoint(), or commit() on the connection or session: both are fenced."
    )


def text_of(query: Any) -> str:
    """Return a query's text, in whichever of psycopg's forms it is."""
    if isinstance(query, bytes):
        return query.decode(errors="replace")
    return query if isinstance(query, str) else str(query.as_string(None))


def _next_word(text: str) -> tuple[str, str]:
    """Return the next word in lower case, and what follows it. Comments, which may nest, are no words."""
    position = 0
    while position < len(text):
        if text[position].isspace() or text[position] == ";":
            position += 1
        elif text.startswith("--", position):
            # A carriage return ends a comment too: what follows one is a statement to the server.
            position = ending.end() if (ending := _LINE_END.search(text, position)) else len(text)
        elif text.startswith("/*", position):
            position = _end_of_comment(text, position)
        else:
            break
    word = _WORD.match(text, position)
    return (word[0].lower(), text[word.end() :]) if word else ("", text[position:])


def _end_of_comment(text: str, position: int) -> int:
    depth = 0
    for mark in re.finditer(r"/\*|\*/", text[position:]):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return position + mark.end()
    return len(text)
