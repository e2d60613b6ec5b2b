"""An input that cannot be used is one line on stderr and exit code 2, before anything is started."""

import os
from pathlib import Path

import pytest

from cli.demo.errors import InputError
from cli.demo.records import COLUMNS
from cli.demo.source import MOST_TENANTS, inspect
from tests.demo.conftest import DemoRunner, Write

HEADER = ",".join(COLUMNS)
ROW = "Acme,SO-1,C-1,2026-01-02T03:04:05Z,S,a thing,2,1.50"


def assert_refused(demo: DemoRunner, path: Path, *, because: str) -> None:
    ended = demo.run("--input", path, timeout_seconds=30)

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"error: the input {path} {because}")
    assert demo.left_behind() == []


def test_a_missing_file_is_refused(demo: DemoRunner, tmp_path: Path) -> None:
    assert_refused(demo, tmp_path / "nowhere.csv", because="does not exist.")


def test_a_directory_is_refused(demo: DemoRunner, tmp_path: Path) -> None:
    assert_refused(demo, tmp_path, because="is a directory.")


def test_an_empty_file_is_refused(demo: DemoRunner, orders_csv: Write) -> None:
    assert_refused(demo, orders_csv(""), because="is empty.")


def test_other_columns_are_refused(demo: DemoRunner, orders_csv: Write) -> None:
    path = orders_csv(f"tenant,order,customer_id,ordered_at,sku,description,quantity,price\n{ROW}\n")

    assert_refused(demo, path, because="has no column order_id, unit_price. Its first line names tenant,order_id,")


def test_a_file_that_is_not_utf_8_is_refused_wherever_in_it_that_shows(demo: DemoRunner, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(f"{HEADER}\n".encode() + f"{ROW}\n".encode() * 5_000 + "Zürich\n".encode("latin-1"))

    assert_refused(demo, path, because="is not UTF-8")


def test_a_rejected_file_that_is_the_input_is_refused(demo: DemoRunner, orders_csv: Write) -> None:
    path = orders_csv(f"{HEADER}\n{ROW}\n")
    ended = demo.run("--input", path, "--rejected", path, timeout_seconds=30)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert path.read_text() == f"{HEADER}\n{ROW}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\ufeff", "is empty"),
        ("\n\r\n\n", "is empty"),
        (f"{HEADER}\n", "has a header and no rows"),
        (f"{HEADER}\n,SO-1,C,D,S,d,1,1\n", "has no whole row that names a tenant"),
        (f"{HEADER}\nAcme,SO-1\n", "has no whole row that names a tenant"),
        (f"{HEADER}\n{'n' * 201},SO-1,C,D,S,d,1,1\n", "has no whole row that names a tenant"),
        (f"{HEADER},tenant\n{ROW},Acme\n", "has two columns tenant"),
        (f"{HEADER},line\n{ROW},7\n", "has a column line"),
        (f'"{HEADER}\n{ROW}\n', "has no column tenant"),
        ("x" * 1_000_000, "has no column tenant"),
        (HEADER + "\n" + "".join(f"T{n}{ROW[4:]}\n" for n in range(MOST_TENANTS + 1)), "names more than 500 tenants"),
    ],
)
def test_what_names_no_tenant_or_no_columns_is_refused(orders_csv: Write, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        inspect(orders_csv(text))


def test_what_cannot_be_read_twice_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(InputError, match="is no regular file"):
        inspect(pipe)


def test_a_line_break_in_the_name_of_the_file_does_not_make_two_lines(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        inspect(tmp_path / "two\nlines.csv")

    assert "\n" not in str(refusal.value)


def test_columns_in_another_order_and_further_ones_are_fine(orders_csv: Write) -> None:
    names = [*reversed(COLUMNS), "remark"]
    source = inspect(orders_csv(f"\ufeff {' , '.join(names)}\r\n1,1,d,S,2026-01-01,C,SO-1,Acme,x\r\n"))

    assert dict(source.rows_of) == {"Acme": 1}
    assert source.columns == names


def test_only_a_whole_row_makes_a_tenant(orders_csv: Write) -> None:
    source = inspect(orders_csv(f"{HEADER}\n{ROW}\n12.50,SO-2\nAcme,SO-3\n{ROW}\n"))

    assert dict(source.rows_of) == {"Acme": 2}
    assert source.records == 4
