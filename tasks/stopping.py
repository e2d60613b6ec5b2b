"""Telling a body from outside that it is to stop: its lease is gone, or its job was cancelled."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from db.errors import PartywallError

Reason = type[PartywallError]
Deliver = Callable[[Reason], object]


class Stop:
    """One attempt's. Whoever watches over its lease asks; whoever runs its body says how the body is reached."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deliver: Deliver | None = None
        self.reason: Reason | None = None
        """Why the body is to stop; None as long as it may go on."""

    def ask(self, reason: Reason) -> None:
        """Stop the body if it runs, or as soon as it begins. May be asked again: a body can swallow an exception."""
        with self._lock:
            self.reason = self.reason or reason
            if self._deliver is not None:
                self._deliver(self.reason)

    @contextmanager
    def reaching(self, deliver: Deliver) -> Iterator[None]:
        """Let the block's body be stopped by `deliver(reason)`, which is called in another thread."""
        with self._lock:
            self._deliver = deliver
            if self.reason is not None:
                deliver(self.reason)
        try:
            yield
        finally:
            # Not while `deliver` is at work: what it does is meant for this body and no other.
            with self._lock:
                self._deliver = None
