"""The generated input: the same every time, big enough, and damaged where it says."""

import csv
from collections import Counter
from pathlib import Path

from cli.demo.generator import DAMAGE, TENANTS, write_orders
from cli.demo.records import COLUMNS, opened
from cli.demo.source import inspect


def test_the_default_input_has_three_tenants_and_at_least_30_000_rows(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    generated = write_orders(path)

    source = inspect(path)

    assert set(source.rows_of) == set(TENANTS)
    assert len(source.rows_of) == 3
    assert source.records == generated.rows >= 30_000
    assert len(generated.damaged_lines) == 20


def test_the_same_seed_gives_the_same_file_and_another_seed_another(tmp_path: Path) -> None:
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    few = {"Acme": 100}
    write_orders(first, tenants=few)
    write_orders(again, tenants=few)
    write_orders(other, tenants=few, seed=7)

    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_exactly_the_damaged_lines_are_unlike_an_order(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    generated = write_orders(path, tenants={"Acme": 300, "Zeta": 200}, damaged_rows=2 * len(DAMAGE))

    with opened(path) as found:
        next(found)
        unlike = [record.line for record in found if not looks_like_an_order(list(record.fields))]

    assert unlike == generated.damaged_lines


def looks_like_an_order(fields: list[str]) -> bool:
    if len(fields) != len(COLUMNS):
        return False
    row = dict(zip(COLUMNS, fields, strict=True))
    return bool(
        row["tenant"]
        and row["customer_id"]
        and row["ordered_at"].endswith("Z")
        and row["quantity"].isdigit()
        and row["unit_price"].replace(".", "", 1).isdigit()
    )


def test_some_valid_rows_need_a_real_csv_reader(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    write_orders(path, tenants={"Acme": 300}, damaged_rows=0)
    with path.open(encoding="utf-8", newline="") as file:
        descriptions = Counter(row["description"] for row in csv.DictReader(file))

    assert any("\n" in description for description in descriptions)
    assert any('"' in description for description in descriptions)
    assert any("," in description for description in descriptions)
    assert not all(description.isascii() for description in descriptions)
