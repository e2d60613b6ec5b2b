"""Tasks for the API's tests. They are asked for and never run here."""

from typing import Annotated

from pydantic import BaseModel, Field

from tasks import Job, task

NAME = __name__


class Errand(BaseModel):
    """What to fetch, and from where."""

    item: Annotated[str, Field(min_length=1)]
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    stops: list[dict[str, int]] = []
    note: str = ""


@task("errands.fetch", max_attempts=7)
def fetch(job: Job, payload: Errand) -> None:
    """Fetch something.

    This is a second paragraph, which is not part of the description.
    """


@task("errands.sweep", tenantless=True)
def sweep() -> None:
    """Sweep the whole house; no tenant may ask for it."""
