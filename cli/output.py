"""What a command prints: tables for people, plain columns in a pipe, one JSON object for programs.

Answers go to stdout, everything else to stderr. What a tenant wrote may hold escape sequences; a terminal gets to see
them spelled out.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

out = Console(highlight=False)
err = Console(highlight=False, stderr=True)

_STYLED_COLUMNS = ("state", "status", "flow", "verdict", "outcome", "was")
_STYLES = {
    **dict.fromkeys(("active", "open", "succeeded", "ok", "isolated"), "green"),
    **dict.fromkeys(("suspended", "paused", "draining", "running", "dispatched", "warn", "not proven"), "yellow"),
    **dict.fromkeys(("deleting", "failed", "expired", "cancelled", "fail", "leaks"), "red"),
    **dict.fromkeys(("timed_out", "killed", "lost"), "red"),
}
_AGES = {"created": "age", "ended": "ago", "changed": "changed ago", "seen": "seen ago", "started": "for"}
"""Columns of moments, which a terminal shows as time gone by, under these headings."""
_UNFOLDED_COLUMNS = ("id", *_STYLED_COLUMNS, *_AGES, "attempt", "pid", "tried", "took")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def print_json(value: Mapping[str, Any]) -> None:
    """Print one object on one line. Moments are UTC, as 2026-11-23T06:35:07.123456Z."""
    print(json.dumps(value, default=_spelled))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under their column names, or on stderr what it means that there are none."""
    listed = list(rows)
    if not listed:
        note(empty)
    elif out.is_terminal:
        _print_rich_table(columns, listed)
    else:
        _print_columns([[name.upper() for name in columns], *([_cell(each) for each in row] for row in listed)])


def print_fields(fields: Mapping[str, object]) -> None:
    """Print names and values, one below the other; a value of several lines stands indented below its name."""
    width = max(len(name) for name in fields) + 2
    for name, value in fields.items():
        text = printable(_cell(value))
        style = _STYLES.get(text, "") if name in _STYLED_COLUMNS else ""
        heading = f"{name}:"
        if "\n" in text:
            text = "\n" + "\n".join(f"  {line}" for line in text.splitlines())
        else:
            heading = heading.ljust(width)
        out.print(Text(heading, style="bold").append(text, style=f"not bold {style}"), soft_wrap=True)


def say(text: str) -> None:
    """Print a line of the answer, as it is."""
    print(printable(text))


def note(text: str) -> None:
    """Tell the person at the terminal something that is not part of the answer."""
    err.print(Text(printable(text)), soft_wrap=True)


def complain(line: str) -> None:
    """Print the one line a command fails with."""
    err.print(Text("error: ", style="bold red").append(printable(line), style="not bold default"), soft_wrap=True)


def printable(text: str) -> str:
    """Return the text with control characters spelled out, except newline and tab."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def span(seconds: float) -> str:
    """Return a length of time in its largest unit: `40ms`, `4.2s`, `42s`, `7m`, `3h`, `12d`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f}{unit}"
    return f"{seconds:.0f}s"


def _print_rich_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    # Two spaces between columns: with an id of 36 characters in it, a row has little room to give away.
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for name in columns:
        table.add_column(_AGES.get(name, name), no_wrap=name in _UNFOLDED_COLUMNS, min_width=4, overflow="fold")
    for row in rows:
        table.add_row(*(_rich_cell(name, value) for name, value in zip(columns, row, strict=True)))
    out.print(table)


def _rich_cell(column: str, value: object) -> Text:
    if isinstance(value, datetime):
        # Two clocks are at work; nothing was made in the future.
        return Text(span(max(0.0, (datetime.now(UTC) - value).total_seconds())))
    text = printable(_cell(value))
    return Text(text, style=_STYLES.get(text, "") if column in _STYLED_COLUMNS else "")


def _print_columns(rows: Sequence[Sequence[str]]) -> None:
    # Never cut, never wrapped: somebody greps here.
    spelled = [[" ".join(printable(cell).split()) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*spelled, strict=True)]
    for row in spelled:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        case dict() | list():
            return json.dumps(value, indent=2, ensure_ascii=False)
        case _:
            return str(value)


def _spelled(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form here")
