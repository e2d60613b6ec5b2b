"""Tasks that publish and enqueue where they should not, or where it is easy to get wrong."""

import asyncio
import contextvars
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import BaseModel, field_validator
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from db.errors import NoTenantError
from db.roles import Role
from db.session import tenantless_session
from tasks import Job, task
from tasks.publisher import publishing_as
from tests.isolation.edges.edge_tasks import BodyFailedError, Step, keep, step, write_whole
from tests.isolation.edges.footprints import leave_footprint

NAME = __name__


class Outcomes(BaseModel):
    """What became of each try: `published`, or the error's name."""

    tries: dict[str, str]


def outcome_of(publish: Callable[[], object]) -> str:
    """Publish; return what became of it."""
    try:
        publish()
    except (NoTenantError, ProgrammingError) as refusal:
        return type(refusal).__name__
    return "published"


@task("bodies.enqueue", max_attempts=1)
def enqueue(job: Job, payload: Step) -> None:
    """Enqueue a job and publish a call; fail afterwards if the step says so."""
    job.enqueue("edges.step", {"word": payload.word, "step": "enqueued"})
    step.delay(word=payload.word, step="published")
    leave_footprint(job, payload.word, "itself")
    if payload.step == "fails":
        raise BodyFailedError


@task("bodies.publish_elsewhere", max_attempts=1)
def publish_elsewhere(job: Job, payload: Step) -> Outcomes:
    """Publish from threads that inherited this thread's context, and from one that entered the tenant itself."""
    tries = {}

    def publish() -> None:
        tries[threading.current_thread().name] = outcome_of(lambda: step.delay(word=payload.word, step="by accident"))

    def publish_on_purpose() -> None:
        with publishing_as(job.context, role=Role.WORKER, label=job.tenant.slug):
            step.delay(word=payload.word, step="on purpose")

    thread = threading.Thread(target=publish, name="thread")
    thread.start()
    thread.join()
    with ThreadPoolExecutor(thread_name_prefix="executor") as executor:
        executor.submit(contextvars.copy_context().run, publish).result()
        executor.submit(publish_on_purpose).result()
    asyncio.run(asyncio.to_thread(publish))
    return Outcomes(tries=tries)


class Choosy(BaseModel):
    """A payload whose check quotes what it does not like."""

    word: str

    @field_validator("word")
    @classmethod
    def _like(cls, word: str) -> str:
        raise ValueError(f"cannot like {word}")


@task("bodies.choose", max_attempts=1)
def choose(job: Job, payload: Choosy) -> None:
    """Never run."""


@task("bodies.publish_for_each_item", max_attempts=1)
def publish_for_each_item(job: Job, payload: Step) -> Outcomes:
    """Publish what calls a tenant's task as a function, once for each item."""
    items = [{"word": payload.word}]
    return Outcomes(
        tries={
            "map": outcome_of(step.map(items).delay),
            "starmap": outcome_of(step.starmap([items]).delay),
            "chunks": outcome_of(step.chunks([items], 1).delay),
            "map in a chain": outcome_of((step.si(word=payload.word) | step.map(items)).delay),
        }
    )


@task("bodies.hand_over", max_attempts=1)
def hand_over(job: Job, payload: Step) -> None:
    """Give a signature to another process: one that was published on its way, and so has its token, and a bare one."""
    signature = step.s(word=payload.word, step="handed over")
    keep.delay(signature, f"{payload.step}/published.json")
    write_whole(Path(payload.step) / "bare.json", json.dumps(signature))


@task("bodies.replace", max_attempts=1, bind=True)
def replace_job(self: object, job: Job, payload: Step) -> None:
    """Have a job replaced by a call."""
    leave_footprint(job, payload.word, "before")
    self.replace(step.s(word=payload.word))  # type: ignore[attr-defined]


@task("bodies.without_tenant", tenantless=True)
def without_tenant(*, word: str, path: str) -> None:
    """Do what a task without a tenant may not."""

    def read(table: str) -> str:
        def ask() -> None:
            with tenantless_session() as session:
                session.execute(text(f"select count(*) from {table}"))

        return outcome_of(ask)

    tries = {table: read(table) for table in ("app.footprints", "partywall.jobs", "partywall.tenants")}
    tries["delay"] = outcome_of(lambda: step.delay(word=word))
    write_whole(Path(path), json.dumps(tries))
