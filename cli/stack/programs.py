"""What the stack consists of, as the supervisor sees it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """One long-running process of the stack."""

    name: str
    command: Sequence[str]
    directory: Path
    """Where it runs."""
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    """How long it may take to stop; then it is killed."""
    environment: Mapping[str, str] = field(default_factory=dict)
    system_user: str | None = None
    is_ready: Callable[[], bool] | None = None
    """What proves from outside that it serves."""
    ready_line: str | None = None
    """What it writes to its log once it serves. Where neither is given, being up for a second is enough."""
    ready_within_seconds: float = 90
    """Long, because it only tells slow from stuck: a process that ends is noticed at once."""
