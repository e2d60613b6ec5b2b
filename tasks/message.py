"""What travels through the broker: ids and a nonce. No payload, result or secret of a tenant."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import MessageInvalidError


class _Kwargs(BaseModel):
    """The message's keyword arguments, exactly these."""

    model_config = ConfigDict(extra="forbid")

    tenant_id: UUID
    job_ids: list[UUID] = Field(min_length=1, max_length=1000)
    nonce: UUID


@dataclass(frozen=True, slots=True)
class JobMessage:
    """The jobs one message names, all of one tenant and one task, and the nonce that lets a worker claim them."""

    tenant_id: UUID
    job_ids: tuple[UUID, ...]
    nonce: UUID

    def kwargs(self) -> dict[str, Any]:
        """Return the message's keyword arguments as JSON holds them."""
        return {
            "tenant_id": str(self.tenant_id),
            "job_ids": [str(job_id) for job_id in self.job_ids],
            "nonce": str(self.nonce),
        }

    def shown_as(self, tenant_slug: str) -> str:
        """Return what Flower shows and searches instead: `kwargs:tenant=acme` finds it.

        A Python dict literal, because Flower reads it with `ast.literal_eval`. The nonce stays out.
        """
        jobs = [str(job_id) for job_id in self.job_ids]
        return repr({"tenant": tenant_slug, "job": jobs[0] if len(jobs) == 1 else jobs})

    @classmethod
    def parse(cls, arguments: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Self:
        """Return the message that a worker received.

        Raises:
            MessageInvalidError: it has another form. Nothing was claimed, so nothing is lost.
        """
        hint = "Jobs are started by the dispatcher only: enqueue one through the API or job.enqueue()."
        if arguments:
            raise MessageInvalidError(hint=hint)
        try:
            read = _Kwargs.model_validate(kwargs)
        except ValidationError as error:
            # Only our own names: whoever wrote the message may have put anything into the rest.
            wrong = {str(each["loc"][0]) for each in error.errors()}
            raise MessageInvalidError(fields=sorted(wrong & _Kwargs.model_fields.keys()), hint=hint) from None
        return cls(tenant_id=read.tenant_id, job_ids=tuple(read.job_ids), nonce=read.nonce)
