"""How long the dispatcher waits after a dispatch: not at all after a full batch, longer and longer after nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from workers import dispatcher as module
from workers.dispatcher import BATCH_LIMIT, BUSY_PAUSE_SECONDS, Dispatcher


class Wakeups:
    """Leads, and notes for how long it is waited."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def lead(self) -> bool:
        """Lead."""
        return True

    def wait(self, timeout_seconds: float) -> list[str]:
        """Hear nothing."""
        self.waits.append(timeout_seconds)
        return []


def waits_after(sent: Sequence[int], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return for how long it waits after dispatches that sent so many jobs each."""
    wakeups, left = Wakeups(), list(sent)

    @contextmanager
    def opened(*_: Any) -> Iterator[Any]:
        yield wakeups

    monkeypatch.setattr(module, "open_wakeups", opened)
    monkeypatch.setattr(module, "platform_connection", opened)
    dispatcher = Dispatcher()

    def send(*_: Any) -> int:
        count = left.pop(0)
        if not left:
            dispatcher.stopping.set()
        return count

    monkeypatch.setattr(dispatcher, "_run_timed", send)
    dispatcher.run()
    return wakeups.waits


@pytest.mark.usefixtures("database")
def test_more_is_looked_for_at_once_after_a_full_batch_and_ever_later_after_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits = waits_after([BATCH_LIMIT, 0, 0, 3, 0, 0], monkeypatch)

    first = BUSY_PAUSE_SECONDS
    assert waits == pytest.approx([0, 2 * first, 4 * first, first, 2 * first, 4 * first])
