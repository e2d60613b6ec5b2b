"""What the database may refuse of a job, or of a batch of them."""

from db.errors import (
    IdempotencyKeyReusedError,
    PayloadTooLargeError,
    PayloadUnstorableError,
    QueueFullError,
    TenantDrainingError,
    UniqueKeyTakenError,
)

REFUSALS = (
    PayloadUnstorableError,
    PayloadTooLargeError,
    IdempotencyKeyReusedError,
    UniqueKeyTakenError,
    QueueFullError,
    TenantDrainingError,
)
"""What an endpoint that accepts jobs may answer: for `problems()`."""
