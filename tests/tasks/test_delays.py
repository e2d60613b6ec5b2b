"""How long a canvas takes by its delays alone, however it is nested."""

import json
from typing import Any

import pytest
from celery import chain, chord, group, signature
from celery.canvas import Signature
from hypothesis import given
from hypothesis import strategies as st

from tasks.delays import delay_seconds, each_delay, longest_wait
from tasks.signatures import plain, single_tasks
from tests.tasks.test_signatures import CANVASES


def leaf(seconds: float = 0) -> Signature[Any]:
    return signature("leaf", countdown=seconds)


def with_options(canvas: Any, **options: Any) -> Any:
    canvas = canvas.clone()
    canvas.options |= options
    return canvas


A, B, C = leaf(1), leaf(10), leaf(100)

WAITS: dict[str, tuple[Any, float]] = {
    "one": (A, 1),
    "a chain": (chain(A, B, C), 111),
    "a group": (group(A, B, C), 100),
    "a chord": (chord([A, B], C), 110),
    "a chain that ends in a group": (chain(A, group(B, C)), 101),
    "a chain with a group in the middle": (chain(A, group(leaf(3), B), C), 111),
    "a callback": (with_options(A, link=[B, C]), 101),
    "what follows a failure": (with_options(A, link_error=[B]), 11),
    "a chain on its way": (with_options(A, chain=[C, B]), 111),
    "a step of a chord on its way": (with_options(A, chord=C, link=[B]), 101),
    "a canvas that is itself told to wait": (with_options(group(A, B), countdown=1000), 1010),
    "nothing": ([], 0),
}


@pytest.mark.parametrize(("canvas", "seconds"), WAITS.values(), ids=WAITS)
def test_delays_add_up_along_the_longest_way(canvas: Any, seconds: float) -> None:
    spelled = json.loads(json.dumps(plain(canvas)))

    assert longest_wait(spelled) == seconds


@given(CANVASES)
def test_each_task_of_a_canvas_has_its_delay(canvas: Signature[Any]) -> None:
    copy = plain(canvas)

    assert [id(each) for each, _ in each_delay(copy)] == [id(each) for each in single_tasks(copy)]
    assert longest_wait(copy) == 0


def test_the_tasks_a_canvas_begins_with_wait_with_it() -> None:
    waiting = {
        "task": "celery.chain",
        "kwargs": {"tasks": [A, B]},
        "options": {"countdown": 5},
        "subtask_type": "chain",
    }

    assert [seconds for _, seconds in each_delay(plain([waiting, with_options(group(A, B), countdown=5)]))] == [
        5,
        10,
        5,
        10,
    ]


@given(st.floats(-1e9, 0) | st.none())
def test_what_is_due_already_does_not_wait(countdown: float | None) -> None:
    assert delay_seconds({"countdown": countdown}) == 0
    assert delay_seconds({"eta": "2020-01-01T00:00:00"}) == 0
