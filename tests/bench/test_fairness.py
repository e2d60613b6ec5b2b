"""`make bench-fairness`: a part of it in a short form, and that what is judged is judged right."""

import json
from pathlib import Path

from bench.fairness.changes import NEVER_SECONDS, seconds_until_seen
from bench.fairness.command import PARTS
from bench.fairness.flood import arrivals
from bench.fairness.memory import early_and_late
from bench.fairness.shares import jain, shares_by_window
from bench.fairness.sizes import Sizes
from bench.requirement import requirements
from tests.bench.running import run_module

BOUND_SECONDS = 110


def test_a_part_runs_alone_and_writes_what_it_measured(tmp_path: Path) -> None:
    run = run_module(
        "bench", "fairness", "memory", "--memory-jobs=60", f"--results={tmp_path}", bound_seconds=BOUND_SECONDS
    )

    result = json.loads((tmp_path / "fairness-memory.json").read_text())
    assert run.code == (1 if result["missed"] else 0), run.complained
    assert result["figures"]["worker_mib"] > 10
    assert {"load", "cores"} <= result["host"].keys()


def test_every_part_has_requirements() -> None:
    assert all(requirements(f"fairness-{part}") for part in PARTS)


def test_the_index_of_fairness_is_one_for_equals_and_least_when_one_has_all() -> None:
    assert jain([5, 5, 5, 5]) == 1.0
    assert jain([20, 0, 0, 0]) == 0.25
    assert jain([0, 0]) == 0.0


def test_windows_follow_each_other_by_a_second_after_the_warm_up() -> None:
    done = [(place % 2, place / 10) for place in range(51)]

    windows = shares_by_window(done, 2, window_seconds=2.0)

    assert windows == [[10, 10], [10, 10], [10, 10]]


def test_the_others_ask_once_a_second_each_and_not_all_at_once() -> None:
    asked = arrivals(Sizes(others=3, others_seconds=4.0))

    assert len(asked) == 12
    assert [at for at, _ in asked] == sorted(at for at, _ in asked)
    moments = {request.tenant: {round(at % 1, 6) for at, its in asked if its.tenant == request.tenant}
               for _, request in asked}  # fmt: skip
    assert all(len(each) == 1 for each in moments.values())
    assert len({request.number for _, request in asked}) == 12


def test_memory_is_compared_after_the_warm_up() -> None:
    samples = [(0, 50.0), (100, 100.0), (120, 102.0), (500, 103.0), (960, 105.0), (1000, 107.0)]

    assert early_and_late(samples, 1000) == (101.0, 106.0)


AT = {"weight": 100.0, "pause": 110.0, "alone": 120.0, "cap": 130.0, "resume": 140.0}


def test_changes_that_show_at_once_are_seen_at_once() -> None:
    weighted = [(100 + place / 10, 0 if place % 11 < 8 else 1 + place % 3) for place in range(60)]
    capped = [(130 + place / 10, 0) for place in range(50)]

    seen = seconds_until_seen([*weighted, *capped, (140.2, 1)], AT)

    assert {name: round(seconds, 3) for name, seconds in seen.items()} == {
        "weight": 0.0, "pause": 0.0, "cap": 0.0, "resume": 0.2
    }  # fmt: skip


def test_changes_that_do_not_show_are_seen_late_or_never() -> None:
    equal = [(100 + place / 10, place % 4) for place in range(60)]
    paired = [(130 + place / 10 + twin, 0) for place in range(30) for twin in (0.0, 0.001)]

    seen = seconds_until_seen([*equal, (113.0, 1), *paired], AT)

    assert seen["weight"] == NEVER_SECONDS
    assert seen["pause"] == 3.0
    assert round(seen["cap"], 3) == 2.901
    assert seen["resume"] == NEVER_SECONDS
