"""The input: whether it can be used, found out before anything is started."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.demo.errors import InputError
from cli.demo.records import COLUMNS, Record, column_names, opened, tenant_named

MOST_TENANTS = 500


@dataclass(frozen=True, slots=True)
class Source:
    """An input that can be used."""

    path: Path
    columns: Sequence[str]
    records: int
    """All but the header, whatever is wrong with them."""
    rows_of: Mapping[str, int]
    """Tenants in the order of their first record, each with its records of the right number of fields.

    Only such a record proves that there is a tenant of that name: in one with a comma too many, anything can
    stand where the tenant is looked for.
    """


def inspect(path: Path) -> Source:
    """Read the file once, in the memory of its longest record, and return what is in it.

    Raises:
        InputError: it cannot be used.
    """
    if not path.exists():
        raise _refusal(path, "does not exist")
    if path.is_dir():
        raise _refusal(path, "is a directory")
    if not path.is_file():
        raise _refusal(path, "is no regular file, and it has to be read more than once")
    try:
        return _read(path)
    except UnicodeDecodeError as error:
        byte = f"0x{error.object[error.start]:02x}"
        raise _refusal(path, f"is not UTF-8 (byte {byte}: {error.reason}); save it as UTF-8") from None
    except OSError as error:
        raise _refusal(path, f"cannot be read: {error.strerror}") from None


def _read(path: Path) -> Source:
    with opened(path) as found:
        first = next(found, None)
        if first is None:
            raise _refusal(path, "is empty")
        columns = _columns(path, first)
        rows_of: Counter[str] = Counter()
        count = 0
        for record in found:
            count += 1
            tenant = tenant_named(record, columns)
            if tenant is not None and len(record.fields) == len(columns):
                rows_of[tenant] += 1
                if len(rows_of) > MOST_TENANTS:
                    raise _refusal(path, f"names more than {MOST_TENANTS} tenants up to line {record.line}")
    if count == 0:
        raise _refusal(path, "has a header and no rows")
    if not rows_of:
        raise _refusal(path, "has no whole row that names a tenant")
    return Source(path, columns, count, rows_of)


def _columns(path: Path, first: Record) -> list[str]:
    columns = column_names(first)
    hint = f"Its first line names {','.join(COLUMNS)}, in any order."
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise _refusal(path, f"has no column {', '.join(missing)}", hint=hint)
    twice = [name for name in COLUMNS if columns.count(name) > 1]
    if twice:
        raise _refusal(path, f"has two columns {', '.join(twice)}", hint=hint)
    if "line" in columns:
        raise _refusal(path, "has a column line, which the demo adds by itself", hint="Rename it.")
    return columns


def _refusal(path: Path, reason: str, *, hint: str | None = None) -> InputError:
    return InputError(f"the input {_printable(str(path))} {reason}", hint=hint)


def _printable(text: str) -> str:
    # The refusal is one line whatever the file is called.
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:200])
