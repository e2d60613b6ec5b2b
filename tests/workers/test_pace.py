"""A share of the time, and no rest for who works little."""

import pytest

from workers.pace import Pace


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


def worked(pace: Pace, clock: Clock, seconds: float) -> float:
    clock.now += seconds
    return pace.rest_after(seconds)


def test_who_works_without_a_pause_gets_the_share(clock: Clock) -> None:
    pace = Pace(share=0.25, burst_seconds=0.1, clock=clock)
    began = clock.now
    for _ in range(1000):
        clock.now += worked(pace, clock, 0.01)

    assert 1000 * 0.01 / (clock.now - began) == pytest.approx(0.25, rel=0.02)


def test_a_burst_is_free_and_no_more_than_that(clock: Clock) -> None:
    pace = Pace(share=0.5, burst_seconds=0.1, clock=clock)

    assert [worked(pace, clock, 0.05) for _ in range(5)] == pytest.approx([0, 0, 0, 0, 0.05])


def test_what_comes_now_and_then_never_waits(clock: Clock) -> None:
    pace = Pace(share=0.25, burst_seconds=0.01, clock=clock)
    for _ in range(1000):
        clock.now += 0.05
        assert worked(pace, clock, 0.01) == 0


def test_nothing_is_saved_up_beyond_a_burst(clock: Clock) -> None:
    pace = Pace(share=0.5, burst_seconds=0.1, clock=clock)
    clock.now += 1000

    assert worked(pace, clock, 0.3) == pytest.approx(0.1)


def test_who_could_not_rest_does_not_fall_silent_for_it(clock: Clock) -> None:
    pace = Pace(share=0.5, burst_seconds=0.1, clock=clock)

    assert max(worked(pace, clock, 0.05) for _ in range(1000)) == pytest.approx(0.2)
