"""Tasks of a tenant, each of which does one thing that Celery lets a task do, and plain ones that know no tenant."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from celery import group, shared_task, signature
from pydantic import BaseModel

from tasks import Job, task
from tests.isolation.edges.footprints import leave_footprint


class Step(BaseModel):
    """Which step of which walk this is. What it returns is of the same form, so that a chain can go on from it."""

    word: str
    step: str = "started"


class BodyFailedError(Exception):
    """Says what no log may say."""


@task("edges.step", max_attempts=1)
def step(job: Job, payload: Step) -> Step:
    """Take a step."""
    leave_footprint(job, payload.word, payload.step)
    return payload


@task("edges.join", max_attempts=1)
def join(job: Job, payload: list[Step]) -> Step:
    """Take one step after several."""
    words = {each.word for each in payload}
    joined = Step(word=" ".join(sorted(words)), step="joined " + " ".join(sorted(each.step for each in payload)))
    leave_footprint(job, joined.word, joined.step)
    return joined


@task("edges.fail", max_attempts=1)
def fail(job: Job, payload: Step) -> Step:
    """Take a step that is taken back."""
    leave_footprint(job, payload.word, payload.step)
    job.flush()
    raise BodyFailedError(f"quoting {payload.word}")


@task("edges.after_failure", max_attempts=1)
def after_failure(job: Job, payload: UUID) -> None:
    """Take a step for the call that failed: all that Celery tells an errback is its id."""
    leave_footprint(job, str(payload), "after failure")


@task("edges.tell_id", max_attempts=1)
def tell_id(job: Job, payload: Step) -> Step:
    """Take a step named after the call's own id."""
    leave_footprint(job, payload.word, str(job.id))
    return payload


@task("edges.tell_header", max_attempts=1, bind=True)
def tell_header(self: Any, job: Job, payload: Step) -> Step:
    """Take a step named after a header that the publisher added."""
    leave_footprint(job, payload.word, self.request.headers["x-colour"])
    return payload


@task("edges.retry", max_attempts=3, bind=True)
def retry(self: Any, job: Job, payload: Step) -> Step:
    """Fail until an attempt, each time with a pause: the step is `3 after 0.1`."""
    number, pause = (float(each) for each in payload.step.split(" after "))
    leave_footprint(job, payload.word, f"attempt {job.attempt}")
    if job.attempt < number:
        raise self.retry(exc=BodyFailedError(f"quoting {payload.word}"), countdown=pause)
    return payload


@task("edges.retry_otherwise", max_attempts=2, retry_base_seconds=0.1, bind=True)
def retry_otherwise(self: Any, job: Job, payload: Step) -> Step:
    """Retry with another payload, after the pause that was declared."""
    if payload.step == "first":
        raise self.retry(args=[{"word": payload.word, "step": "second"}])
    leave_footprint(job, payload.word, payload.step)
    return payload


@task("edges.autoretry", max_attempts=3, bind=True, autoretry_for=(BodyFailedError,), retry_kwargs={"countdown": 0.1})
def autoretry(self: Any, job: Job, payload: Step) -> Step:
    """Raise what Celery retries by itself."""
    leave_footprint(job, payload.word, f"attempt {job.attempt}")
    if job.attempt < 3:
        raise BodyFailedError(f"quoting {payload.word}")
    return payload


@task("edges.replace", max_attempts=1, bind=True)
def replace(self: Any, job: Job, payload: Step) -> Any:
    """Take a step, and have another canvas take the rest."""
    leave_footprint(job, payload.word, "before")
    parts = [step.s(word=payload.word, step=f"instead {number}") for number in (1, 2)]
    if payload.step == "group":
        return self.replace(group(parts))
    return self.replace(parts[0] | parts[1] if payload.step == "chain" else parts[0])


@task("edges.grow", max_attempts=1, bind=True)
def grow(self: Any, job: Job, payload: Step) -> Step:
    """Add a step to the chord that this is part of."""
    self.add_to_chord(step.s(word=payload.word, step="added"))
    leave_footprint(job, payload.word, payload.step)
    return payload


@shared_task(name="edges.pass_on")
def pass_on(given: Any) -> Any:
    """Know nothing of tenants."""
    return given


@shared_task(name="edges.fail_plainly")
def fail_plainly(given: Any) -> Any:
    """Fail, and quote a tenant's data."""
    raise BodyFailedError(f"quoting {given}")


@shared_task(name="edges.retry_plainly", bind=True)
def retry_plainly(self: Any, given: Any) -> Any:
    """Fail once, and quote a tenant's data."""
    if self.request.retries == 0:
        raise self.retry(exc=BodyFailedError(f"quoting {given}"), countdown=0.1)
    return given


@shared_task(name="edges.call")
def call(given: Any) -> None:
    """Publish the signature that was given, alone or in a mapping."""
    signature(given.get("then", given)).delay()


@shared_task(name="edges.keep")
def keep(given: Any, path: str) -> None:
    """Keep a signature for another process to publish."""
    write_whole(Path(path), json.dumps(given))


def write_whole(path: Path, content: str) -> None:
    """Write a file that is there with all that is in it, or not at all."""
    part = path.with_suffix(".part")
    part.write_text(content)
    part.rename(path)
