"""The input: whether it can be used, found out before anything is started."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from cli.demo.errors import InputError
from cli.demo.records import COLUMNS, Record, opened, tenant_named

LONGEST_HEADER = 64 * 1024
"""Bytes. Without a line end up to here it is no header, and the file may be one endless line."""
MOST_TENANTS = 500


@dataclass(frozen=True, slots=True)
class Source:
    """An input that can be used."""

    path: Path
    header: Sequence[str]
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
        raise _refusal(path, f"is not UTF-8: {error.reason}") from None
    except OSError as error:
        raise _refusal(path, f"cannot be read: {error.strerror}") from None


def _read(path: Path) -> Source:
    with path.open("rb") as file:
        start = file.read(LONGEST_HEADER)
    if not start.removeprefix(b"\xef\xbb\xbf").strip():
        raise _refusal(path, "is empty")
    if len(start) == LONGEST_HEADER and b"\n" not in start and b"\r" not in start:
        raise _refusal(path, f"is not a CSV file: its first line is longer than {LONGEST_HEADER // 1024} KiB")
    with opened(path) as found:
        header = _header(path, next(found))
        rows_of: Counter[str] = Counter()
        count = 0
        for record in found:
            count += 1
            tenant = tenant_named(record, header)
            if tenant is not None and len(record.fields) == len(header):
                rows_of[tenant] += 1
                if len(rows_of) > MOST_TENANTS:
                    raise _refusal(path, f"names more than {MOST_TENANTS} tenants by line {record.line}")
    if not rows_of:
        raise _refusal(path, "has no row that names a tenant" if count else "has a header and no rows")
    return Source(path, header, count, rows_of)


def _header(path: Path, record: Record) -> Sequence[str]:
    missing = [name for name in COLUMNS if name not in record.fields]
    surplus = [
        name for at, name in enumerate(record.fields) if name not in COLUMNS or name in record.fields[:at]
    ]
    if missing or surplus:
        wrong = chain(
            (f"no {name}" for name in missing), (f"a column {_printable(name)!r}" for name in surplus)
        )
        raise _refusal(
            path,
            f"has {', '.join(list(wrong)[:8])} in its first line",
            hint=f"The columns are {', '.join(COLUMNS)}.",
        )
    return record.fields


def _refusal(path: Path, reason: str, *, hint: str | None = None) -> InputError:
    return InputError(f"{_printable(str(path))} {reason}", hint=hint)


def _printable(text: str) -> str:
    # The refusal is one line whatever the file is called.
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:200])
