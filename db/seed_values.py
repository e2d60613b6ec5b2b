"""Values to try in a column, by its type: first those that can be recognised again."""

import re
from collections.abc import Callable, Mapping, Sequence

from db.tables import Column, RowCheck

Mark = Callable[[str, int], str]
"""Returns so many hex digits, 32 or 64, for the column of that name; they will be looked for."""
Value = Callable[[], str]
"""Makes a value as PostgreSQL reads it from text."""

MARK_DIGITS = 32

_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_PLAIN: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("int2", "int4", "int8", "numeric", "float4", "float8", "money"), ("1", "0", "2", "100", "-1")),
    "oid": ("1",),
    "bool": ("true", "false"),
    "date": ("2026-01-01", "2026-01-31", "2000-01-01", "2099-12-31"),
    **dict.fromkeys(("timestamp", "timestamptz"), ("2026-01-01 00:00:00+00", "2000-01-01", "2099-12-31")),
    **dict.fromkeys(("time", "timetz"), ("12:00",)),
    "interval": ("1 day",),
    **dict.fromkeys(("inet", "cidr"), ("192.0.2.1",)),
    "macaddr": ("02:00:00:00:00:01",),
    **dict.fromkeys(("bit", "varbit"), ("0", "1")),
    "point": ("(0,0)",),
    "xml": ("<a/>",),
    **dict.fromkeys(("int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange"), ("empty",)),
    "tsvector": ("a",),
    "ltree": ("a",),
    "hstore": ("a=>1",),
}
_SHORT_TEXTS = ("a", "A", "1", "0", "EUR", "DE", "en", "2026-01", "2026-01-01", "12:00", "+15550100", "a-b", "a.b")


def is_recognisable(column: Column) -> bool:
    """Return whether a value of this column can carry a mark."""
    base = column.element or column.base
    fits = column.longest is None or column.longest >= MARK_DIGITS
    return column.labels is None and fits and base in ("text", "varchar", "bpchar", "citext", "uuid", "bytea", *_JSON)


def values_for(column: Column, checks: Sequence[RowCheck], mark: Mark) -> list[Value]:
    """Return what to try in a column, best first; nothing for a type that is not known.

    The literals of the checks on the column are among them: `check (state in ('new', 'paid'))` says what it takes.
    """
    if column.element is not None:
        inside = _scalars(column, column.element, checks, mark)
        return [*(_in_array(value) for value in inside), lambda: "{}"]
    return _scalars(column, column.base, checks, mark)


_JSON = ("json", "jsonb")


def _scalars(column: Column, base: str, checks: Sequence[RowCheck], mark: Mark) -> list[Value]:
    def marked(digits: int = MARK_DIGITS) -> str:
        return mark(column.name, digits)

    if column.labels is not None:
        return [_constant(label) for label in column.labels]
    match base:
        case "uuid":
            return [marked]
        case "bytea":
            # 32 bytes are what a digest has.
            return [lambda: rf"\x{marked(64)}", lambda: rf"\x{marked()}", _constant(r"\x01")]
        case "json" | "jsonb":
            return [lambda: f'{{"mark": "{marked()}"}}', lambda: f'["{marked()}"]', lambda: f'"{marked()}"']
        case "text" | "varchar" | "bpchar" | "citext" | "name":
            return _texts(column, checks, marked)
        case _:
            return [_constant(each) for each in _PLAIN.get(base, ())]


def _texts(column: Column, checks: Sequence[RowCheck], marked: Callable[..., str]) -> list[Value]:
    literals = [
        literal.replace("''", "'")
        for check in checks
        if column.name in check.columns
        for literal in _LITERAL.findall(check.definition)
    ]
    longest = column.longest or 10_000
    long: list[tuple[int, Value]] = [
        (MARK_DIGITS, marked),
        (64, lambda: marked(64)),
        (MARK_DIGITS + 12, lambda: f"{marked()}@example.com"),
        (MARK_DIGITS + 20, lambda: f"https://example.com/{marked()}"),
    ]
    short = [*literals, *_SHORT_TEXTS]
    return [
        *(value for length, value in long if length <= longest),
        *(_constant(each) for each in dict.fromkeys(short) if len(each) <= longest),
    ]


def _constant(value: str) -> Value:
    return lambda: value


def _in_array(value: Value) -> Value:
    def array() -> str:
        escaped = value().replace("\\", r"\\").replace('"', r"\"")
        return f'{{"{escaped}"}}'

    return array
