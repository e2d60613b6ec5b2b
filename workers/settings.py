"""What the dispatcher is told by its environment."""

from pydantic import Field

from db.settings import PartywallSettings


class DispatcherSettings(PartywallSettings):
    """How much stands at the broker, and for how long a message is waited for."""

    in_flight_limit: int = Field(
        500, ge=1, description="How many jobs of a queue may be at the broker without having been claimed."
    )
    resend_after_seconds: float = Field(
        30, gt=0, description="How long a job may be at the broker unclaimed before its message is sent again."
    )
