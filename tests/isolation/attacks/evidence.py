"""What an attacker got to see: rows, errors, notices and notifications, as text to be searched."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

from tests.isolation.attacks.planting import NOTES_OF_A, NOTES_OF_B

# B's notes, with and without the one in the inheriting table, alone and together with A's.
_COUNTS = re.compile(
    r"\b(" + "|".join(str(NOTES_OF_B + more) for more in (0, 1, NOTES_OF_A, NOTES_OF_A + 1, NOTES_OF_A + 2)) + r")\b"
)


@dataclass
class Evidence:
    """Everything that came back, in order."""

    lines: list[str] = field(default_factory=list)
    shape: list[str] = field(default_factory=list)
    """The same without what differs from run to run: for telling two answers of an oracle apart."""
    b_could_work: bool = True
    """Whether B could change its own rows while the attack's transaction was open."""
    found_by_neighbour: list[str] = field(default_factory=list)
    """What B found on the session that a pooler took from A, before A's process gave its connection back."""

    def saw_rows(self, rows: list[tuple[Any, ...]]) -> None:
        """Note a result."""
        text = "\n".join(" | ".join(_plain(value) for value in row) for row in rows)
        self.lines.append(text)
        self.shape.append(text)

    def saw_count(self, count: int) -> None:
        """Note how many rows a statement touched that returns none."""
        self.lines.append(f"{count} rows")
        self.shape.append(f"{count} rows")

    def saw_error(self, error: BaseException) -> None:
        """Note an error, with everything it carries."""
        for each in _chain(error):
            self.lines.append(f"{type(each).__name__}: {each}")
            if isinstance(each, DBAPIError) and each.orig is not None:
                self.lines += [str(each.statement), str(each.params)]
            if isinstance(each, psycopg.Error):
                self.lines += _fields(each.diag)
                self.shape.append(f"error {each.sqlstate}")
        if not isinstance(error, DBAPIError):
            self.shape.append(f"error {type(error).__name__}")

    def saw_notice(self, diagnostic: Any) -> None:
        """Note a notice."""
        self.lines += _fields(diagnostic)
        self.shape.append(f"notice {diagnostic.message_primary}")

    def saw_notification(self, notification: Any) -> None:
        """Note a notification."""
        self.lines.append(f"{notification.channel} {notification.payload}")

    @property
    def text(self) -> str:
        return "\n".join(self.lines).lower()

    def found_in(self, secrets: Mapping[str, str]) -> list[str]:
        """Return the names of the secrets that came back."""
        text = self.text
        found = [name for name, secret in secrets.items() if any(form in text for form in _forms(secret))]
        return found + ["how many rows"] * bool(_COUNTS.search(text))


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret in the clothes in which SQL may bring it: itself, a uuid without its hyphens, its bytes in hex."""
    yield secret.lower()
    yield secret.encode().hex()
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", secret):
        yield secret.replace("-", "")


def _plain(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return str(value)


def _fields(diagnostic: Any) -> list[str]:
    names = (
        "message_primary", "message_detail", "message_hint", "context", "internal_query", "statement_position",
        "table_name", "column_name", "constraint_name",
    )  # fmt: skip
    return [str(value) for name in names if (value := getattr(diagnostic, name, None))]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
