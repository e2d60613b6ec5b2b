"""Orders nobody placed: the demo's input when none is given. One seed, one file, byte for byte."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import MappingProxyType

from cli.demo.records import COLUMNS

TENANTS: Mapping[str, int] = MappingProxyType({"Acme Tools": 15_400, "Bolt & Sons": 10_300, "Zürich Kaffee": 6_300})
"""Who orders, and how many rows of each: 32,000 in all, unequal on purpose."""

SEED = 20_260_101

# sku, description, price in cents. Some need quotes in CSV, one holds a line break, one hardly any ASCII.
GOODS: Sequence[tuple[str, str, int]] = (
    ("HAM-16", "Claw hammer, 16 oz", 2_495),
    ("SCR-02", 'Screwdriver, 1/4" slotted', 780),
    ("TAP-05", "Tape measure 5 m", 1_150),
    ("BLT-M8", "Bolts M8 x 40, box of 100", 1_899),
    ("WSH-M8", "Washers M8", 3),
    ("PNT-WH", "Wall paint\nwhite, matt, 10 l", 6_450),
    ("KAF-1K", "Röstkaffee «Limmat», 1 kg", 3_250),
    ("TEA-JP", "煎茶 100 g", 1_480),
    ("CUP-06", "Cups; six of them", 4_200),
    ("GIF-01", "Voucher", 0),
)

START = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = int(timedelta(days=181).total_seconds())  # January to June

Row = list[str]
"""One order line, in the order of COLUMNS."""


def _with(column: str, value: str) -> Callable[[Row], Row]:
    at = COLUMNS.index(column)
    return lambda row: [*row[:at], value, *row[at + 1 :]]


DAMAGE: Sequence[Callable[[Row], Row]] = (
    lambda row: row[:-1],
    lambda row: [*row, "surplus"],
    lambda row: [row[0]],
    _with("ordered_at", "31.02.2026"),
    _with("ordered_at", ""),
    _with("quantity", "a dozen"),
    _with("quantity", "2.5"),
    _with("unit_price", "12,50"),
    _with("unit_price", "free"),
    _with("customer_id", ""),
    _with("tenant", ""),
)
"""What goes wrong with a row, one way each; the last leaves a row that is nobody's."""


@dataclass(frozen=True)
class Generated:
    """What `write_orders` put into the file."""

    rows: int
    damaged_lines: Sequence[int]
    """The line in the file at which each damaged row starts, ascending."""


def write_orders(
    path: Path, *, tenants: Mapping[str, int] = TENANTS, damaged_rows: int = 20, seed: int = SEED
) -> Generated:
    """Write a CSV of orders with a row count per tenant, shuffled, `damaged_rows` of them damaged.

    The same arguments give the same file.
    """
    random = Random(seed)  # noqa: S311 - made-up orders, not secrets
    rows = list(_orders(random, tenants))
    random.shuffle(rows)
    damaged = sorted(random.sample(range(len(rows)), damaged_rows))
    for turn, at in enumerate(damaged):
        rows[at] = DAMAGE[turn % len(DAMAGE)](rows[at])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        line, lines = 2, []
        for row in rows:
            lines.append(line)
            writer.writerow(row)
            line += 1 + sum(field.count("\n") for field in row)
    return Generated(rows=len(rows), damaged_lines=[lines[at] for at in damaged])


def _orders(random: Random, tenants: Mapping[str, int]) -> Iterator[Row]:
    for tenant, count in tenants.items():
        customers = max(1, count // 150)
        for number in range(1, count + 1):
            sku, description, cents = random.choice(GOODS)
            placed_at = START + timedelta(seconds=random.randrange(SECONDS))
            yield [
                tenant,
                f"SO-{number:06}",
                f"C-{random.randint(1, customers):04}",
                f"{placed_at:%Y-%m-%dT%H:%M:%SZ}",
                sku,
                description,
                str(random.randint(1, 12)),
                f"{cents // 100}.{cents % 100:02}",
            ]
