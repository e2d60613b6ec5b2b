"""How long the calls of a canvas are told to wait, each for itself and one after the other."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tasks.signatures import LEADING_ON, STEPS, is_signature

ENQUEUE_HINT = "Enqueue a job: job.enqueue(..., run_at=...) or POST /v1/jobs. It waits in PostgreSQL, and runs once."
"""What to do where a call cannot wait for so long."""


def delay_seconds(options: Mapping[str, Any]) -> float:
    """Return how long a message with these options is to wait at the broker, from now on."""
    eta = options.get("eta")
    if isinstance(eta, str):
        eta = datetime.fromisoformat(eta)
    if isinstance(eta, datetime):
        # Celery reads a time without an offset as UTC, see `enable_utc`.
        moment = eta if eta.tzinfo else eta.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return max(0.0, float(options.get("countdown") or 0))


def each_delay(value: Any, inherited: float = 0.0) -> Iterator[tuple[dict[str, Any], float]]:
    """Yield each signature of one task that a plain signature, or a list of them, leads to, with its own delay.

    What a canvas is told to wait, the tasks it begins with wait.
    """
    if isinstance(value, list):
        for each in value:
            yield from each_delay(each, inherited)
    elif is_signature(value):
        for option in LEADING_ON:
            yield from each_delay(value["options"].get(option))
        own = max(delay_seconds(value["options"]), inherited)
        if value["task"] not in STEPS:
            yield value, own
        for part, is_first in _parts(value):
            yield from each_delay(part, own if is_first else 0.0)


def longest_wait(value: Any) -> float:
    """Return the seconds of delay along the longest way through a plain signature, or a list that goes side by side."""
    if isinstance(value, list):
        return max((longest_wait(each) for each in value), default=0.0)
    if not is_signature(value):
        return 0.0
    options = value["options"]
    inside = sum(longest_wait(part) for part, _ in _parts(value))
    # On its way a chain is an option of the step that runs: those that are left.
    after = sum(longest_wait(each) for each in options.get("chain") or ()) + longest_wait(options.get("chord"))
    callbacks = max(longest_wait(options.get("link")), longest_wait(options.get("link_error")))
    return delay_seconds(options) + inside + max(after, callbacks)


def _parts(canvas: Mapping[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Yield what goes one after the other in a canvas, and whether it may begin with that. A list goes side by side."""
    arguments = canvas.get("kwargs") or {}
    for name in STEPS.get(canvas["task"], ()):
        if canvas["task"] == "celery.chain":
            yield from ((step, place == 0) for place, step in enumerate(arguments.get(name) or ()))
        else:
            # Celery hands the countdown of a chord to its body as well where the header is empty.
            yield arguments.get(name), True
