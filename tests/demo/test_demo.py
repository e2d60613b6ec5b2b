"""The demo from outside: a file in, tables and checks out, and nothing left behind."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from cli.demo.generator import write_orders
from cli.stack.services import PROJECT
from tests.demo.conftest import DemoRunner

TENANTS = {"Acme Tools": 900, "Zürich Kaffee": 600}


def read_plainly(path: Path) -> tuple[Counter[str], dict[str, Decimal], list[int]]:
    """Read orders without any code of ours: rows and revenue of each tenant, and the lines that are no orders."""
    rows: Counter[str] = Counter()
    revenue: dict[str, Decimal] = {}
    bad = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        columns = next(reader)
        line = reader.line_num + 1
        for fields in reader:
            row = dict(zip(columns, fields, strict=False))
            try:
                worth = int(row["quantity"]) * Decimal(row["unit_price"])
                fit = len(fields) == len(columns) and row["ordered_at"].startswith("2026-")
                fit = fit and "" not in (row["tenant"], row["customer_id"])
            except (KeyError, ValueError, ArithmeticError):
                fit = False
            if fit:
                rows[row["tenant"]] += 1
                revenue[row["tenant"]] = revenue.get(row["tenant"], Decimal(0)) + worth
            else:
                bad.append(line)
            line = reader.line_num + 1
    return rows, revenue, bad


@pytest.mark.timeout(180)
def test_a_demo_counts_what_a_plain_reading_counts_and_leaves_nothing_behind(demo: DemoRunner, tmp_path: Path) -> None:
    path, rejected_path = tmp_path / "orders.csv", tmp_path / "rejected.csv"
    write_orders(path, tenants=TENANTS, damaged_rows=22)
    rows, revenue, bad = read_plainly(path)

    ended = demo.run("--input", path, "--rejected", rejected_path, timeout_seconds=150)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    assert ended.stdout.splitlines()[-1] == "demo: ok"
    assert "\x1b" not in ended.stdout
    assert "✗" not in ended.stdout
    assert len(ended.stdout.splitlines()) > 60
    assert max(len(line) for line in ended.stdout.splitlines() if "/" not in line) <= 100
    shown = {line.partition("  ")[0]: line.split() for line in ended.stdout.splitlines() if line[:1].isalpha()}
    for tenant in TENANTS:
        figures = shown[tenant][len(tenant.split()) :]
        assert figures[0] == f"{rows[tenant]:,}"
        assert figures[2] == f"{revenue[tenant]:,.2f}"
    assert shown["Total"][1] == f"{rows.total():,}"
    assert shown["Total"][3] == f"{sum(revenue.values()):,.2f}"
    with rejected_path.open(encoding="utf-8", newline="") as file:
        rejected = list(csv.DictReader(file))
    assert [int(row["line"]) for row in rejected] == bad
    assert "1 field too few" in {row["reason"] for row in rejected}
    assert {row["tenant"] for row in rejected} == {*TENANTS, ""}
    assert demo.left_behind() == []


@pytest.mark.timeout(180)
def test_a_demo_of_one_tenant_that_is_kept_runs_on_until_it_is_stopped(demo: DemoRunner, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    write_orders(path, tenants={"Only One": 50}, damaged_rows=0)
    try:
        ended = demo.run("--input", path, "--keep", timeout_seconds=150)
        (home,) = demo.scratch.glob("partywall-demo-*")
        status = partywall("status", "--json", home=home)
        stopped = partywall("down", home=home)
    finally:
        for home in demo.scratch.glob("partywall-demo-*"):
            partywall("down", home=home)
            shutil.rmtree(home)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1] == "demo: ok"
    assert json.loads(status.stdout)["running"] is True
    addresses = json.loads(status.stdout)["addresses"]
    assert all(addresses[name] in ended.stdout for name in ("api", "api_docs", "flower", "logs"))
    assert f"PARTYWALL_HOME={home} " in ended.stdout
    assert stopped.returncode == 0


def partywall(*arguments: str, home: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "from cli.main import app; app()", *arguments],
        cwd=PROJECT,
        env=os.environ | {"PARTYWALL_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.timeout(120)
def test_a_demo_that_is_interrupted_at_work_leaves_nothing_behind(demo: DemoRunner, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    write_orders(path, tenants={"Acme Tools": 30_000}, damaged_rows=0)

    with demo.start("--input", path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        at_work = any("the producer cuts the file" in line for line in process.stdout)
        assert at_work, process.stderr.read()
        process.send_signal(signal.SIGTERM)
        rest, complaint = process.stdout.read(), process.stderr.read()

    assert process.returncode == 130
    assert complaint == ""
    assert rest.splitlines()[-1] == "Interrupted: all is stopped and removed."
    assert demo.left_behind() == []
