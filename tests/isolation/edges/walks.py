"""Every way that Celery has from one task to the next, each with the steps that it is to leave in its tenant."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from celery import chain, current_app, group
from pydantic import BaseModel

from tasks import Job, task
from tests.isolation.edges.edge_tasks import (
    Step,
    after_failure,
    autoretry,
    fail,
    fail_plainly,
    pass_on,
    retry,
    retry_otherwise,
    retry_plainly,
    step,
    tell_header,
    tell_id,
)

NAME = __name__
NOWHERE = "nowhere"


@dataclass(frozen=True)
class Walk:
    """How to publish something with a word, and the steps that carry the word when all of it has run."""

    publish: Callable[[str], Any]
    steps: tuple[str, ...]
    failures: tuple[str, ...] = ()
    """The steps whose errbacks run: they know no word, only the id of what failed."""


WALKS: dict[str, Walk] = {}


def walk(*steps: str, failures: tuple[str, ...] = ()) -> Callable[[Callable[[str], Any]], Callable[[str], Any]]:
    """Enter a way."""

    def enter(publish: Callable[[str], Any]) -> Callable[[str], Any]:
        WALKS[publish.__name__] = Walk(publish, steps, failures)
        return publish

    return enter


class Take(BaseModel):
    """Which way to go, and with what word."""

    walk: str
    word: str


@task("edges.take", max_attempts=1)
def take(job: Job, payload: Take) -> None:
    """Publish, as a job."""
    if payload.walk != NOWHERE:
        WALKS[payload.walk].publish(payload.word)


@task("edges.take_as_call", max_attempts=1)
def take_as_call(job: Job, payload: Take) -> None:
    """Publish, as a call."""
    WALKS[payload.walk].publish(payload.word)


def id_for(word: str, name: str = "") -> str:
    """Return the task id that a walk gives to one of its calls."""
    return str(uuid5(NAMESPACE_OID, word + name))


def failing(word: str, name: str = "") -> Any:
    """Return a call that fails, with an id by which its errback is known."""
    return fail.s(word=word, step="never").set(task_id=id_for(word, name))


# -- one task -------------------------------------------------------------------------------------


@walk("a")
def delay(word: str) -> None:
    step.delay(word=word, step="a")


@walk("a")
def delay_with_a_model(word: str) -> None:
    step.delay(Step(word=word, step="a"))


@walk("a")
def apply_async(word: str) -> None:
    step.apply_async([{"word": word}], {"step": "a"})


@walk("a")
def countdown(word: str) -> None:
    step.apply_async(kwargs={"word": word, "step": "a"}, countdown=0.2)


@walk("a")
def eta(word: str) -> None:
    step.apply_async(kwargs={"word": word, "step": "a"}, eta=datetime.now(UTC) + timedelta(seconds=0.2))


@walk("a")
def expires(word: str) -> None:
    step.apply_async(kwargs={"word": word, "step": "a"}, expires=60)


@walk("a")
def expires_after_a_pause(word: str) -> None:
    step.apply_async(
        kwargs={"word": word, "step": "a"}, countdown=0.2, expires=datetime.now(UTC) + timedelta(minutes=1)
    )


@walk("blue")
def custom_headers(word: str) -> None:
    tell_header.apply_async(kwargs={"word": word}, headers={"x-colour": "blue"})


@walk("<its id>")
def explicit_task_id(word: str) -> None:
    tell_id.apply_async(kwargs={"word": word}, task_id=id_for(word))


@walk("a")
def send_task_by_name(word: str) -> None:
    current_app.send_task("edges.step", kwargs={"word": word, "step": "a"})


@walk("a", "b")
def apply(word: str) -> None:
    result = step.apply(kwargs={"word": word, "step": "a"}).result
    step.delay(result, step="b")


@walk("a", "b")
def apply_with_a_link(word: str) -> None:
    step.apply(kwargs={"word": word, "step": "a"}, link=step.s(step="b"))


@walk("a", "b", "c")
def always_eager(word: str) -> None:
    current_app.conf.task_always_eager = True
    try:
        step.delay(word=word, step="a")
        group(step.s(word=word, step="b"), step.s(word=word, step="c")).delay()
    finally:
        current_app.conf.task_always_eager = False


EAGER = ("apply", "apply_with_a_link", "always_eager")
"""The walks with steps that are taken inside another body, on a connection of their own."""


# -- again ----------------------------------------------------------------------------------------


@walk("attempt 3")
def retry_at_once(word: str) -> None:
    retry.delay(word=word, step="3 after 0")


@walk("attempt 2")
def retry_with_a_countdown(word: str) -> None:
    retry.delay(word=word, step="2 after 0.3")


@walk(failures=("gives up",))
def retry_until_it_gives_up(word: str) -> None:
    retry.apply_async(
        kwargs={"word": word, "step": "5 after 0"}, task_id=id_for(word, "gives up"), link_error=after_failure.s()
    )


@walk("second")
def retry_with_another_payload(word: str) -> None:
    retry_otherwise.delay(word=word, step="first")


@walk("attempt 3", "then")
def autoretry_for(word: str) -> None:
    chain(autoretry.s(word=word), step.s(step="then")).delay()


@walk("then")
def plain_retry(word: str) -> None:
    chain(retry_plainly.s({"word": word}), step.s(step="then")).delay()


# -- links ----------------------------------------------------------------------------------------


@walk("a", "b", "c")
def link(word: str) -> None:
    step.apply_async(kwargs={"word": word, "step": "a"}, link=[step.s(step="b"), step.s(step="c")])


@walk("a", "b")
def link_to_a_plain_task(word: str) -> None:
    step.apply_async(kwargs={"word": word, "step": "a"}, link=pass_on.s().set(link=step.s(step="b")))


@walk("a", "b", "c")
def link_to_a_chain(word: str) -> None:
    step.apply_async(kwargs={"word": word, "step": "a"}, link=chain(step.s(step="b"), step.s(step="c")))


@walk(failures=("it",))
def link_error(word: str) -> None:
    failing(word, "it").apply_async(link_error=after_failure.s())


@walk("sorry")
def link_error_immutable(word: str) -> None:
    failing(word).apply_async(link_error=step.si(word=word, step="sorry"))


@walk("sorry")
def link_error_of_a_plain_task(word: str) -> None:
    fail_plainly.apply_async(args=(word,), link_error=step.si(word=word, step="sorry"))
