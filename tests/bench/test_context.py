"""`make bench-context` measures what it is required to, on a table small enough for a test."""

import os
from collections.abc import Iterator

import pytest

from bench import context
from bench.requirement import requirements
from bench.sampling import Sample, Samples
from db.engine import dispose_engines
from db.roles import Role


@pytest.fixture
def own_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the measurement sets for its own server is gone afterwards."""
    for role in Role:
        monkeypatch.setenv(f"PARTYWALL_{role.value.upper()}_DATABASE_URL", "postgresql://nowhere")
    yield
    dispose_engines()


@pytest.mark.usefixtures("own_settings")
def test_it_measures_every_figure_that_is_required_and_counts_the_round_trips_right() -> None:
    cores, priority = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)

    figures, measured = context.run(rows=1000, tenants=10, rounds=1)

    assert {requirement.name for requirement in requirements("context")} <= figures.keys()
    per_transaction = [figures[f"round_trips_per_transaction_{name}"] for name in ("none", "setting", "ours")]
    assert per_transaction == [3, 4, 2]
    assert {row["contender"] for row in measured} == {"none", "prepared", "setting", "ours", "mapped"}
    assert (os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)) == (cores, priority)


def samples(*walls: float, waited: float = 0.0) -> list[Sample]:
    return [Sample(wall=wall, client=wall, backend=wall, waited=waited) for wall in walls]


def test_what_a_neighbour_disturbed_is_left_out() -> None:
    disturbed = samples(900.0, 800.0, 700.0, waited=600.0)
    mine = Samples([*disturbed, *samples(20.0)])
    its = Samples([*samples(10.0, 10.0, 10.0, 10.0)])

    assert mine.over(its, "wall") == 2.0
    assert mine.beyond(its, "backend") == 10.0
    assert (mine.median("wall"), mine.least("work")) == (20.0, 40.0)
