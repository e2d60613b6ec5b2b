"""Walks through chains, groups and chords, and those that a body asks Celery for."""

from typing import Any

from celery import chain, chord, group

from tasks import Job, task
from tests.isolation.edges.edge_tasks import (
    after_failure,
    call,
    fail,
    grow,
    join,
    pass_on,
    replace,
    step,
)
from tests.isolation.edges.walks import Take, failing, id_for, walk

NAME = __name__


# -- chains and groups ----------------------------------------------------------------------------


@walk("a", "b", "c")
def chain_of_three(word: str) -> None:
    chain(step.s(word=word, step="a"), step.s(step="b"), step.s(step="c")).delay()


@walk("b", "c")
def chain_with_a_plain_start(word: str) -> None:
    chain(pass_on.s({"word": word}), step.s(step="b"), step.s(step="c")).delay()


@walk("a", "b", "c")
def chain_with_a_plain_middle(word: str) -> None:
    chain(step.s(word=word, step="a"), pass_on.s(), step.s(step="b"), pass_on.s(), step.s(step="c")).delay()


@walk("a", "b")
def chain_with_a_plain_end(word: str) -> None:
    chain(step.s(word=word, step="a"), step.s(step="b"), pass_on.s()).delay()


@walk("a", "b")
def chain_of_immutables(word: str) -> None:
    chain(step.si(word=word, step="a"), step.si(word=word, step="b")).apply_async(countdown=0.1)


@walk("a", failures=("second",))
def chain_that_fails(word: str) -> None:
    steps = chain(step.s(word=word, step="a"), fail.s(step="never").set(task_id=id_for(word, "second")), step.s())
    steps.apply_async(link_error=after_failure.s())


@walk("a", "b", "c")
def group_of_three(word: str) -> None:
    group(step.s(word=word, step=each) for each in "abc").delay()


@walk("a", "b", "c", "d")
def group_of_chains(word: str) -> None:
    group(
        chain(step.s(word=word, step="a"), pass_on.s(), step.s(step="b")),
        chain(step.s(word=word, step="c"), step.s(step="d")),
    ).delay()


@walk("a", "b", "c")
def chain_that_ends_in_a_group(word: str) -> None:
    chain(step.s(word=word, step="a"), group(step.s(step="b"), step.s(step="c"))).delay()


@walk("a", "b", "c", "joined b c")
def chain_with_a_group_inside(word: str) -> None:
    chain(step.s(word=word, step="a"), group(step.s(step="b"), step.s(step="c")), join.s()).delay()


# -- chords ---------------------------------------------------------------------------------------


def _header(word: str) -> list[Any]:
    return [step.s(word=word, step="a"), step.s(word=word, step="b")]


@walk("a", "b", "joined a b")
def chord_of_two(word: str) -> None:
    chord(_header(word), join.s()).delay()


@walk("a", "b", "joined a b", "c")
def chord_with_a_chain_for_a_body(word: str) -> None:
    chord(_header(word), chain(join.s(), pass_on.s(), step.s(step="c"))).delay()


@walk("a", "b", "joined a b", "joined a b")
def chord_with_a_group_for_a_body(word: str) -> None:
    chord(_header(word), group(join.s(), join.s())).delay()


@walk("a", "b", "joined a b")
def chord_with_plain_parts(word: str) -> None:
    chord([chain(each, pass_on.s()) for each in _header(word)], chain(pass_on.s(), join.s())).delay()


@walk("a", "sorry")
def chord_whose_header_fails(word: str) -> None:
    header = [step.s(word=word, step="a"), failing(word)]
    chord(header, join.s().on_error(step.si(word=word, step="sorry"))).delay()


@walk("after nothing")
def chord_without_a_header(word: str) -> None:
    chord([], step.si(word=word, step="after nothing")).delay()


@walk("start", "a", "b", "c", "joined b c", "d", "joined d joined b c", "end")
def group_in_a_chain_in_a_chord_in_a_chain(word: str) -> None:
    inner = chain(step.s(step="a"), group(step.s(step="b"), step.s(step="c")), join.s())
    chain(
        step.s(word=word, step="start"),
        chord([inner, step.s(step="d")], join.s()),
        step.s(step="end"),
    ).delay()


# -- what a body asks of Celery -------------------------------------------------------------------


@walk("before", "instead 1")
def replace_by_a_task(word: str) -> None:
    replace.delay(word=word, step="task")


@walk("a", "before", "instead 1", "instead 2", "z")
def replace_in_a_chain_by_a_chain(word: str) -> None:
    chain(step.s(word=word, step="a"), replace.s(step="chain"), step.s(step="z")).delay()


@walk("before", "instead 1", "instead 2", "joined instead 1 instead 2")
def replace_by_a_group(word: str) -> None:
    chain(replace.s(word=word, step="group"), join.s()).delay()


@walk("a")
def signature_as_an_argument(word: str) -> None:
    call.delay(step.s(word=word, step="a"))


@walk("a", "b")
def signature_inside_an_argument(word: str) -> None:
    call.delay({"then": chain(step.s(word=word, step="a"), step.s(step="b"))})


@task("edges.take_and_grow", max_attempts=1)
def take_and_grow(job: Job, payload: Take) -> None:
    """Make a chord grow. Only a backend that joins natively lets it."""
    growing = grow.s(word=payload.word, step="a").set(task_id=id_for(payload.word))
    chord([growing, step.s(word=payload.word, step="b")], join.s()).delay()


GROWN = ("a", "b", "added", "joined a added b")
