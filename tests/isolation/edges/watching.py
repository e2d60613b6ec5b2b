"""Celery's events, as Flower sees them."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from celery import Celery

Event = dict[str, Any]


class Watcher:
    """Collects every event of a broker's workers while it runs."""

    def __init__(self, broker_url: str) -> None:
        self._app = Celery("watcher", broker=broker_url, set_as_current=False)
        self._events: list[Event] = []
        self._listening = threading.Event()
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator["Watcher"]:
        """Listen while the block runs; it begins once every further event will be heard."""
        thread = threading.Thread(target=self._listen, name="watcher", daemon=True)
        thread.start()
        assert self._listening.wait(20)
        try:
            yield self
        finally:
            self._over.set()
            thread.join(20)
            self._app.close()

    def events(self, kind: str | None = None, *, call: str | None = None) -> Sequence[Event]:
        """Return what was heard so far, in order."""
        heard = tuple(self._events)
        return [each for each in heard if kind in (None, each["type"]) and call in (None, each.get("uuid"))]

    def _listen(self) -> None:
        with self._app.connection_for_read() as connection:
            receiver = self._app.events.Receiver(connection, handlers={"*": self._events.append})
            # It consumes on a connection of its own.
            with receiver.consumer_context(wakeup=False) as (own, _, _):
                self._listening.set()
                while not self._over.is_set():
                    try:
                        own.drain_events(timeout=0.5)
                    except TimeoutError:
                        continue
