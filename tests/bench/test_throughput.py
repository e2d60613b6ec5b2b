"""`make bench-throughput`: every system really runs, and what is said of them is what was measured."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.chart import Bars, draw
from bench.load.request import in_turn
from bench.requirement import requirements
from bench.sizes import sizes_from
from bench.throughput.comparison import RIVALS, Comparison, Sizes
from bench.throughput.idle import Latency, latency_of
from bench.throughput.turn import Turn, rate
from tests.bench.running import run_module
from tests.bench.turns import SINGLES

BOUND_SECONDS = 220
"""Ten times what it takes on a machine that does nothing else."""


@pytest.mark.timeout(BOUND_SECONDS + 20)
def test_every_system_runs_every_job_and_pgbench_writes_as_several_tenants() -> None:
    run = run_module("tests.bench.turns", bound_seconds=BOUND_SECONDS)

    assert run.code == 0, run.complained
    said = json.loads(run.said)
    assert set(said["turns"]) == {"partywall", "celery-acks-late", "dramatiq", "procrastinate"}
    for turn in said["turns"].values():
        assert turn["jobs_per_second"] > 0
        assert turn["resident_mib_after"] > 10
        assert len(turn["idle_milliseconds"]) == SINGLES
    assert said["limit"] > 0
    assert said["limit_tenants"] == 3


def turn(jobs_per_second: float) -> Turn:
    return Turn(jobs_per_second, 1000.0, 3000.0, 2000.0, 1e6 / jobs_per_second, 100.0, 101.0, [10.0, 20.0, 30.0])


def comparison(**rates: list[float]) -> Comparison:
    """Return one whose systems ran at these rates, round by round."""
    site: Any = None
    made = Comparison(site, [], Sizes())
    made.turns = {name.replace("_", "-"): [turn(each) for each in its] for name, its in rates.items()}
    made.limits = {"pgbench-2-clients": [1000.0, 1000.0, 1000.0]}
    made.bulk_per_second = {"partywall": [30_000.0, 20_000.0, 10_000.0]}
    return made


@pytest.fixture
def measured() -> Comparison:
    return comparison(
        partywall=[300.0, 600.0, 100.0],
        celery=[100.0, 150.0, 100.0],
        celery_acks_late=[90.0, 200.0, 100.0],
        dramatiq=[300.0, 300.0, 300.0],
        dramatiq_1_thread=[100.0, 100.0, 100.0],
        procrastinate=[50.0, 60.0, 50.0],
    )


def test_every_figure_that_is_required_is_measured(measured: Comparison) -> None:
    assert {each.name for each in requirements("throughput")} <= measured.figures().keys()


def test_a_ratio_is_the_median_of_the_rounds_over_the_faster_way_of_the_rival(measured: Comparison) -> None:
    assert measured.ratio("celery") == 3.0
    assert measured.ratio("dramatiq") == 1.0
    assert measured.ratio("limit") == 0.3
    assert measured.figures()["cpu_over_celery"] == pytest.approx(1 / 3)
    assert all(name in measured.turns or name in measured.limits for names in RIVALS.values() for name in names)


def test_the_start_of_a_turn_is_not_timed() -> None:
    assert rate([0.0, 10.0, 11.0, 12.0], skipped=1) == 1.0


def test_requests_go_to_one_tenant_after_the_other() -> None:
    assert [(each.tenant, each.number) for each in in_turn(3, tenants=2, first=4)] == [(0, 4), (1, 5), (0, 6)]


def test_percentiles_are_those_of_the_waits() -> None:
    assert latency_of([float(each) for each in range(101)]) == Latency(p50=50.0, p95=95.0, p99=99.0)


def test_a_chart_is_well_formed_and_the_longest_bar_is_the_largest_value(tmp_path: Path) -> None:
    draw(tmp_path / "chart.svg", "a < b", [Bars("jobs a second", [("ours", 200.0), ("theirs & others", 1000.0)])])

    image = ElementTree.parse(tmp_path / "chart.svg").getroot()  # noqa: S314 - written a line above
    bars = [float(each.get("width", 0)) for each in image.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert bars[1] == 5 * bars[0]


def test_sizes_come_from_the_command_line(tmp_path: Path) -> None:
    sizes, results, parts = sizes_from(
        ["b", "--rounds=2", "--seconds=0.5", f"--results={tmp_path}"], Sizes, target="any", parts=["a", "b"]
    )

    assert (sizes.rounds, sizes.seconds, sizes.tenants) == (2, 0.5, 100)
    assert (results, parts) == (tmp_path, ["b"])


def test_a_part_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        sizes_from(["c"], Sizes, target="any", parts=["a", "b"])

    assert "there are a, b" in capsys.readouterr().err
