"""What producers of messages and workers have to agree on."""

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import NoDecode

from db.context import LONGEST_CALL_SECONDS
from db.errors import SettingMissingError
from db.settings import PartywallSettings

MAINTENANCE = "tasks.maintenance"


class TaskSettings(PartywallSettings):
    """The broker, the modules whose tasks exist, and the queues they run on."""

    broker_url: SecretStr | None = Field(None, description="redis://, rediss:// or amqp://, as Celery takes it.")
    task_modules: Annotated[str, NoDecode] = Field(
        "tasks.orders,tasks.reports,tasks.maintenance",
        description="Modules that declare tasks, comma separated.",
    )
    queues: str = Field("default", description="Queues that jobs run on, comma separated.")
    maintenance_every_seconds: float | None = Field(
        None, gt=0, description="How often per-tenant maintenance runs; unset means nightly at 03:00 UTC."
    )
    lease_seconds: float = Field(
        30, ge=3, le=3600, description="How long nobody may hear of an attempt before its job is given to another."
    )
    shutdown_grace_seconds: float = Field(
        30, ge=0, description="How long a worker told to stop lets jobs end before it hands them back."
    )
    commits_wait: bool = Field(
        False, description="Whether each job of a bundle waits for the disk when it commits, not only the last."
    )
    result_backend_url: SecretStr | None = Field(
        None, description="Where Celery keeps results, as chords need it: redis://. Unset, no result leaves PostgreSQL."
    )
    call_lifetime_seconds: float = Field(
        86_400,
        gt=0,
        # A day is left for the delays of a canvas.
        le=LONGEST_CALL_SECONDS - 86_400,
        description="How long a task started through Celery itself may wait for its turn.",
    )
    call_hold_seconds: float = Field(
        10, gt=0, description="How often a worker looks whether the tenant of a waiting call has been resumed."
    )

    @property
    def module_names(self) -> list[str]:
        """The modules that declare tasks, in order. Maintenance is always one: beat starts it."""
        names = _names(self.task_modules)
        return names if MAINTENANCE in names else [*names, MAINTENANCE]

    @property
    def queue_names(self) -> list[str]:
        """The queues that jobs run on."""
        return _names(self.queues)

    def require_broker_url(self) -> str:
        """Return the broker's address.

        Raises:
            SettingMissingError: it is not set.
        """
        if self.broker_url is None:
            raise SettingMissingError(
                setting="PARTYWALL_BROKER_URL", hint="Set it, or start the embedded stack with: partywall up."
            )
        return self.broker_url.get_secret_value()


def _names(comma_separated: str) -> list[str]:
    return [name.strip() for name in comma_separated.split(",") if name.strip()]
