"""`make chaos` in a short form: it passes, it sees what was sabotaged, and it counts right."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from bench.chaos.recovery import NEVER_SECONDS, WATCH_SECONDS, rates
from bench.chaos.sabotage import NO_FENCE, NO_LEASES, SabotageError, take_out
from bench.chaos.schedule import FaultKind, schedule
from bench.chaos.seeds import keep, line_of, seeds
from bench.chaos.verdict import EffectFact, JobFact, judge
from bench.chaos.work import requests
from bench.requirement import requirements
from tests.bench.running import ROOT, run_module

BOUND_SECONDS = 100


def chaos(directory: Path, name: str, *options: str) -> tuple[int, dict[str, Any]]:
    """Run a short storm; return its exit code and what it wrote. Its servers end with it, also when it is too slow."""
    run = run_module(
        "bench.chaos", "--jobs=240", "--seconds=12", "--lease-seconds=3", "--no-recovery",
        "--drain-seconds=60", f"--results={directory}", *options, bound_seconds=BOUND_SECONDS,
    )  # fmt: skip
    result = directory / f"{name}.json"
    assert result.exists(), run.said + run.complained
    return run.code, json.loads(result.read_text())


@pytest.mark.storm
def test_no_job_is_lost_and_none_has_its_effect_twice(tmp_path: Path) -> None:
    code, result = chaos(tmp_path, "chaos")

    assert (code, result["missed"]) == (0, []), result
    assert result["figures"]["succeeded"] >= 240
    assert result["figures"]["faults"] >= 10


@pytest.mark.storm
@pytest.mark.rabbitmq
def test_neither_on_rabbitmq(tmp_path: Path) -> None:
    code, result = chaos(tmp_path, "chaos-rabbitmq", "--broker=rabbitmq")

    assert (code, result["missed"]) == (0, []), result


@pytest.mark.storm
def test_without_the_fence_effects_are_found_twice(tmp_path: Path) -> None:
    code, result = chaos(tmp_path, "chaos-fence-off", "--fence=off")

    assert (code, result["missed"]) == (1, ["duplicated"]), result
    assert len(result["duplicated"]) >= 1


@pytest.mark.storm
def test_without_leases_jobs_are_found_lost(tmp_path: Path) -> None:
    code, result = chaos(tmp_path, "chaos-leases-off", "--leases=off", "--patience-seconds=12")

    assert (code, result["missed"]) == (1, ["lost"]), result
    assert all("running" in each for each in result["lost"])


def test_the_same_seed_makes_the_same_storm() -> None:
    storm = schedule(7, seconds=90, lease_seconds=5)

    assert storm == schedule(7, seconds=90, lease_seconds=5)
    assert storm != schedule(8, seconds=90, lease_seconds=5)
    assert {fault.kind for fault in storm} == set(FaultKind)
    assert 60 <= len(storm) <= 130
    assert requests(7, jobs=10, seconds=1, lease_seconds=5) == requests(7, jobs=10, seconds=1, lease_seconds=5)


def test_some_stops_outlast_the_lease_and_some_jobs_do() -> None:
    storm = schedule(1, seconds=90, lease_seconds=5)
    work = requests(1, jobs=2000, seconds=90, lease_seconds=5)

    past = [fault for fault in storm if "PAST_LEASE" in fault.kind.name]
    assert len(past) >= 10
    assert all(fault.lasts_seconds > 5 for fault in past)
    assert any(request.milliseconds > 5000 for request in work)


TENANT, STRANGER = uuid4(), uuid4()


def job(state: str = "succeeded", *, task: str = "chaos.writes_and_works") -> JobFact:
    return JobFact(uuid4(), TENANT, task, state, 1)


def effect(of: JobFact, *, part: int = 0, tenant: UUID = TENANT, foreign_rows: int = 0) -> EffectFact:
    return EffectFact(tenant, of.job_id, 1, part, foreign_rows)


def figures(
    jobs: list[JobFact], effects: list[EffectFact], *also_accepted: UUID, told: Mapping[UUID, int] | None = None
) -> dict[str, float]:
    accepted = [*(each.job_id for each in jobs), *also_accepted]
    counted = judge(accepted, {each.job_id: each for each in jobs}, effects, told or {})
    return {
        name: count
        for name, count in counted.figures().items()
        if name in ("lost", "duplicated", "stray", "taken_back", "foreign")
        if count
    }


def test_nothing_wrong_is_found_where_nothing_is() -> None:
    done, failed, kept = job(), job("failed"), job(task="chaos.keeps_checkpoints")

    assert figures([done, failed, kept], [effect(done), *(effect(kept, part=part) for part in range(3))]) == {}


def test_a_lost_job_is_found() -> None:
    done, waiting, cancelled = job(), job("dispatched"), job("cancelled")

    assert figures([done], [effect(done)], uuid4()) == {"lost": 1}
    assert figures([waiting, cancelled], []) == {"lost": 2}
    assert figures([done], []) == {"lost": 1}
    kept = job(task="chaos.keeps_checkpoints")
    assert figures([kept], [effect(kept, part=0)]) == {"lost": 1}


def test_an_effect_that_is_there_twice_is_found() -> None:
    done = job()

    assert figures([done], [effect(done)] * 3) == {"duplicated": 2}


def test_an_effect_of_a_job_that_failed_is_found() -> None:
    failed, halfway = job("failed"), job("failed", task="chaos.commits_halfway")

    assert figures([failed, halfway], [effect(failed), effect(halfway)]) == {"stray": 1}


def test_a_job_that_succeeded_otherwise_than_was_told_is_found() -> None:
    done, again, running = job(), job()._replace(attempt=2), job("running")
    effects = [effect(done), effect(again)]

    assert figures([done, again], effects, told={done.job_id: 1, again.job_id: 2}) == {}
    assert figures([done, again], effects, told={done.job_id: 1, again.job_id: 1}) == {"taken_back": 1}
    assert figures([running], [], told={running.job_id: 1}) == {"taken_back": 1, "lost": 1}
    assert figures([], [], told={uuid4(): 1}) == {"taken_back": 1}


def test_a_foreign_row_is_found() -> None:
    done = job()

    assert figures([done], [effect(done, foreign_rows=3)]) == {"foreign": 3}
    assert figures([done], [effect(done, tenant=STRANGER)]) == {"foreign": 1}


def test_what_producers_got_no_answer_for_is_held_to_the_same() -> None:
    unknown = job("running")

    verdict = judge([], {unknown.job_id: unknown}, [], {})

    assert (verdict.unanswered, len(verdict.lost)) == (1, 1)


def test_every_figure_that_is_required_is_measured() -> None:
    counted = judge([], {}, [], {}).figures()
    of_the_trial = {"did_not_come_up", "never_accepted", "told_over_accepted"}

    assert {each.name for each in requirements("chaos")} - counted.keys() == of_the_trial
    assert {each.name for each in requirements("chaos-recovery")} <= rates([], 0, 0).keys()


def steady(start: float, end: float, *, per_second: int) -> list[float]:
    return [start + step / per_second for step in range(int((end - start) * per_second))]


def test_the_rate_is_back_when_five_seconds_from_then_on_have_it() -> None:
    before = steady(990, 1000, per_second=20)

    assert rates(before + steady(1001, 1030, per_second=20), 1000, 1001)["seconds_until_rate_is_back"] == 0
    assert rates(before + steady(1004, 1030, per_second=20), 1000, 1001)["seconds_until_rate_is_back"] == 2.75
    slow = rates(before + steady(1001, 1001 + WATCH_SECONDS, per_second=10), 1000, 1001)
    assert slow["seconds_until_rate_is_back"] == NEVER_SECONDS
    assert (slow["jobs_per_second_before_restart"], slow["jobs_per_second_after_restart"]) == (20, 10)


def test_a_sabotage_that_finds_nothing_to_take_out_says_so(tmp_path: Path) -> None:
    for folder in ("sql/functions", "tasks"):
        shutil.copytree(ROOT / folder, tmp_path / folder)

    take_out(tmp_path, {**NO_FENCE, **NO_LEASES})

    assert "'-infinity'" in (tmp_path / "sql/functions/expire_leases.sql").read_text()
    with pytest.raises(SabotageError):
        take_out(tmp_path, NO_LEASES)


def test_a_line_is_kept_of_each_seed(tmp_path: Path) -> None:
    line = line_of({"figures": {"lost": 0, "seconds_to_drain": 1.2345, "asked_again": 7}, "missed": []})

    assert {name: line[name] for name in ("lost", "seconds_to_drain", "missed")} == {
        "lost": 0, "seconds_to_drain": 1.2, "missed": [],
    }  # fmt: skip
    assert "asked_again" not in line
    for broker, seed in (("redis", 10), ("redis", 9), ("rabbitmq", 1), ("redis", 9)):
        keep(tmp_path / "seeds.json", broker, seed, line)
    kept = json.loads((tmp_path / "seeds.json").read_text())
    assert [(broker, list(lines)) for broker, lines in kept.items()] == [("rabbitmq", ["1"]), ("redis", ["9", "10"])]
    assert [list(seeds(text)) for text in ("3", "1-3")] == [[3], [1, 2, 3]]
