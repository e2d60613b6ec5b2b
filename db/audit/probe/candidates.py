"""Values that a column may take, as text that is cast to its type: the likely ones first."""

import re
import secrets
from collections.abc import Iterable, Sequence
from uuid import uuid4

from db.audit.probe.patterns import UnknownPatternError, fitting
from db.audit.probe.shape import Column, Table

_STRING = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.'])\d+(?:\.\d+)?(?![\w.'])|(?<=\{)\d+|(?<=,)\d+(?=\})")
_PATTERN = re.compile(r"~\*? '((?:[^']|'')*)'")
_LONGEST = 4096

_BY_TYPE: dict[str, Sequence[str]] = {
    "bool": ("true", "false"),
    "date": ("2026-01-01", "2026-06-15", "1999-12-31"),
    "timestamp": ("2026-01-01 00:00:00", "2026-06-15 12:34:56"),
    "timestamptz": ("2026-01-01 00:00:00+00", "2026-06-15 12:34:56+00"),
    "time": ("12:00:00",),
    "timetz": ("12:00:00+00",),
    "interval": ("1 day", "1 hour"),
    "json": ("{}", "[]", '"x"', "1", '{"a": 1}'),
    "jsonb": ("{}", "[]", '"x"', "1", '{"a": 1}'),
    "inet": ("192.0.2.1",),
    "cidr": ("192.0.2.0/24",),
    "macaddr": ("02:00:00:00:00:01",),
    "macaddr8": ("02:00:00:00:00:00:00:01",),
    "xml": ("<a/>",),
    "tsvector": ("a",),
    "tsquery": ("a",),
    "point": ("(1,1)",),
    "box": ("(2,2),(1,1)",),
    "circle": ("<(1,1),1>",),
    "money": ("1",),
    "bit": ("1",),
    "varbit": ("1",),
    "name": ("probe",),
    "oid": ("1",),
}


def named_values(table: Table, column: Column) -> list[str]:
    """Return the values that the table's own definition names. Some may be of another column's type."""
    return list(dict.fromkeys([*_bounds(table, column), *_literals(_rules(table, column))]))


def usual_values(table: Table, column: Column) -> list[str]:
    """Return values of the column's type. No two calls return the same where there is something to choose."""
    rules = _rules(table, column)
    return list(dict.fromkeys([*_patterned(column, rules), *_of_type(column, _numbers(rules))]))


def _patterned(column: Column, rules: Iterable[str]) -> list[str]:
    patterns = [found for spoken in rules for found in _PATTERN.findall(spoken)] if column.category == "S" else []
    return [text[: column.max_length] for pattern in patterns if (text := _fitting(pattern.replace("''", "'")))]


def _fitting(pattern: str) -> str | None:
    try:
        return fitting(pattern)
    except UnknownPatternError:
        return None


def _rules(table: Table, column: Column) -> list[str]:
    return [*column.checks, *(rule.definition for rule in table.rules if column.name in rule.columns)]


def _of_type(column: Column, numbers: Sequence[str]) -> Iterable[str]:
    kind = column.base_type
    if column.labels:
        return column.labels
    if kind == "uuid":
        return [str(uuid4())]
    if kind == "bytea":
        return [rf"\x{secrets.token_hex(length)}" for length in (16, 32, *_lengths(numbers), 1)]
    if kind in ("int2", "int4", "int8", "float4", "float8", "numeric"):
        return _of_number(kind, numbers)
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    match column.category:
        case "S":
            return _texts(column.max_length, numbers)
        case "A":
            return ["{}", "{1}", "{a}"]
        case "R":
            return ["empty", "[1,2)", "[2026-01-01,2026-01-02)"]
    return ["", "1", "[1]", "(1)"]


def _of_number(kind: str, numbers: Sequence[str]) -> list[str]:
    near = [str(int(float(number)) + step) for number in numbers for step in (0, 1, -1)]
    largest = {"int2": 30_000, "int4": 2_000_000_000}.get(kind, 9_000_000_000)
    return [str(secrets.randbelow(largest) + 1), "1", "0", "2", "10", *near, "0.5", "-1"]


def _texts(max_length: int | None, numbers: Sequence[str]) -> list[str]:
    word = secrets.token_hex(4)
    made = [
        f"probe{word}",
        *(secrets.token_hex(length)[:length] for length in _lengths(numbers)),
        *(_repeated("ABCDEFGHIJ", length) for length in _lengths(numbers)),
        *(str(secrets.randbelow(10**9)).zfill(length)[:length] for length in _lengths(numbers)),
        str(uuid4()),
        f"{word}@example.com",
        f"https://example.com/{word}",
        f"example-{word}.com",
        f"A{word}",
        f"+49{secrets.randbelow(10**9):09}",
        "2026-01-01",
        "2026-01",
        "1",
        "a",
        "A",
        "",
    ]
    return [text[:max_length] for text in made]


def _repeated(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _lengths(numbers: Sequence[str]) -> list[int]:
    return sorted({int(float(number)) for number in numbers if 0 < float(number) <= _LONGEST}, reverse=True)


def _literals(definitions: Iterable[str]) -> list[str]:
    # A pattern is no value, but it fails the first cast or check and is passed over.
    return [found.replace("''", "'") for spoken in definitions for found in _STRING.findall(spoken)]


def _numbers(definitions: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(found for spoken in definitions for found in _NUMBER.findall(spoken)))


def _bounds(table: Table, column: Column) -> list[str]:
    values: list[str] = []
    for bound in table.bounds:
        if column.name not in bound.keys or bound.hashes is not None:
            continue
        place = list(bound.keys).index(column.name)
        for group in re.findall(r"\(((?:'(?:[^']|'')*'|[^()'])*)\)", bound.text):
            spelled = [part.strip() for part in re.findall(r"(?:'(?:[^']|'')*'|[^,'])+", group)]
            chosen = spelled if bound.text.startswith("FOR VALUES IN") else spelled[place : place + 1]
            values += [part.strip("'").replace("''", "'") for part in chosen if not part.isupper()]
    return values
