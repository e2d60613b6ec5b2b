"""Tasks that are still running, or still to run, when their tenant is suspended or deleted."""

from pathlib import Path
from time import monotonic, sleep

from pydantic import BaseModel

from tasks import Job, task
from tests.isolation.edges.edge_tasks import BodyFailedError, Step
from tests.isolation.edges.footprints import leave_footprint

NAME = __name__


class Gate(BaseModel):
    """A file that appears when the body may go on."""

    path: Path
    word: str

    def wait(self) -> None:
        """Return when it is there."""
        deadline = monotonic() + 60
        while not self.path.exists():
            assert monotonic() < deadline
            sleep(0.02)


@task("states.wait", max_attempts=1)
def wait(job: Job, payload: Gate) -> None:
    """Occupy a slot."""
    payload.wait()
    leave_footprint(job, payload.word, "waited")


@task("states.wait_and_fail", max_attempts=3, retry_base_seconds=0.05)
def wait_and_fail(job: Job, payload: Gate) -> None:
    """Occupy a slot, and ask for another attempt."""
    payload.wait()
    raise BodyFailedError


@task("states.clean", max_attempts=1, runs_for_deleted=True)
def clean(job: Job, payload: Step) -> None:
    """Do what is left to do for a tenant that goes."""
    leave_footprint(job, payload.word, "cleaned")
