"""Finding every task that a message leads to, however it is nested."""

import json
from typing import Any

import pytest
from celery import chain, chord, group, signature
from celery.canvas import Signature
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tasks.signatures import is_signature, plain, signatures_in, single_tasks

LEAVES = st.integers(0, 10**6).map(lambda number: signature(f"leaf.{number}", args=(number,)))


def _linked(canvas: tuple[Signature[Any], Signature[Any], str]) -> Signature[Any]:
    first, second, option = canvas
    linked = first.clone()
    linked.options[option] = [second]
    return linked


CANVASES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda tasks: Signature.from_dict(chain_of(tasks))),
        st.lists(inner, min_size=1, max_size=4).map(group),
        st.tuples(st.lists(inner, min_size=1, max_size=3), inner).map(lambda parts: chord(parts[0], parts[1])),
        st.tuples(LEAVES, inner, st.sampled_from(["link", "link_error"])).map(_linked),
    ),
    max_leaves=12,
)


def chain_of(tasks: list[Signature[Any]]) -> dict[str, Any]:
    """Return a chain as JSON spells it, whatever its steps are: `chain()` would make a chord of some."""
    return {
        "task": "celery.chain", "args": (), "kwargs": {"tasks": tasks}, "options": {}, "subtask_type": "chain",
        "immutable": False,
    }  # fmt: skip


def names_in(text: str) -> set[str]:
    """Return the leaves by looking at nothing but the text."""
    return {f"leaf.{each.split(chr(34))[0]}" for each in text.split('"leaf.')[1:]}


def names(value: Any) -> set[str]:
    return {each["task"] for each in single_tasks(value)}


@given(CANVASES)
def test_every_task_of_a_canvas_is_found(canvas: Signature[Any]) -> None:
    copy = plain(canvas)

    assert names(copy) == names_in(json.dumps(copy))


@given(st.lists(CANVASES, max_size=3))
def test_every_task_is_found_behind_the_options_of_a_message(canvases: list[Signature[Any]]) -> None:
    followers = plain({"link": canvases, "chain": canvases, "chord": canvases[:1]})
    message = {"task": "root", "args": [], "kwargs": {}, "options": followers, "subtask_type": None}

    assert names(message) == {"root"} | names_in(json.dumps(followers))


@given(CANVASES)
def test_what_is_found_is_a_part_of_the_copy_and_shared_with_nobody(canvas: Signature[Any]) -> None:
    before = json.dumps(plain(canvas))
    copy = plain(canvas)
    for each in single_tasks(copy):
        each["options"]["marked"] = True

    assert json.dumps(plain(canvas)) == before
    assert json.dumps(copy).count('"marked": true') == len(list(single_tasks(copy)))


@given(CANVASES, st.sampled_from(["args", "mapping", "deeper"]))
def test_a_signature_among_the_arguments_is_found(canvas: Signature[Any], where: str) -> None:
    arguments: dict[str, Any] = {
        "args": [1, canvas],
        "mapping": {"then": canvas},
        "deeper": {"plan": [{"then": (canvas, "text")}]},
    }
    given = arguments[where]
    found = list(signatures_in(given, plain(given)))

    assert names_in(json.dumps(plain(canvas))) <= {each["task"] for one in found for each in single_tasks(one)}


LOOKALIKE: dict[str, Any] = {
    "task": "leaf.1",
    "args": [],
    "kwargs": {},
    "options": {},
    "subtask_type": None,
    "immutable": False,
}


def test_data_that_looks_like_a_signature_stays_data() -> None:
    given = {"payload": LOOKALIKE, "list": [LOOKALIKE]}

    assert is_signature(LOOKALIKE)
    assert list(signatures_in(given, plain(given))) == []


@pytest.mark.parametrize("task_name", ["celery.accumulate", "celery.map", "celery.starmap", "leaf.2"])
def test_data_among_the_arguments_of_a_task_stays_data(task_name: str) -> None:
    message = signature(task_name, args=(LOOKALIKE,), kwargs={"it": [LOOKALIKE]})

    assert names(plain(message)) == {task_name}


def test_arguments_that_are_models_become_json() -> None:
    class Note(BaseModel):
        body: str

    assert plain({"args": (Note(body="x"), [Note(body="y")])}) == {"args": [{"body": "x"}, [{"body": "y"}]]}


def test_a_group_of_a_generator_is_read_and_stays_readable() -> None:
    canvas = group(signature(f"leaf.{number}") for number in range(3))

    assert names(plain(canvas)) == names(plain(canvas)) == {"leaf.0", "leaf.1", "leaf.2"}


def test_a_chain_as_celery_writes_it_is_found_whole() -> None:
    canvas = chain(signature("leaf.1"), group(signature("leaf.2"), signature("leaf.3")), signature("leaf.4"))

    assert names(plain(canvas)) == {"leaf.1", "leaf.2", "leaf.3", "leaf.4"}
