"""Which tasks a proof is about."""

from pydantic import BaseModel

from tasks import Job, task
from tasks.proof import look
from tasks.proof.prover import provable_tasks

NAMED_LIKE_OURS = "partywall.billing"


class Nothing(BaseModel):
    """An empty payload."""


@task(NAMED_LIKE_OURS)
def bill(job: Job, payload: Nothing) -> None:
    """Be an adopter's, whatever the name begins with."""


def test_a_task_whose_name_begins_like_ours_is_proven_and_ours_are_not() -> None:
    names = {each.name for each in provable_tasks()}

    assert NAMED_LIKE_OURS in names
    assert not names & {look.NAME, look.ASYNC_NAME}
