"""Leaving a broker that does not answer: closing an AMQP connection asks it, and waits for its answer without limit."""

from typing import Any

from celery.bootsteps import StartStopStep


class HangUp(StartStopStep):
    """After the loss of a worker's connection, drops the one that its events went by: nobody answers there either."""

    requires = ("celery.worker.consumer.events:Events",)

    def stop(self, parent: Any) -> None:
        """Called before a consumer starts again; and when it ends, with its connection there, to be closed in order."""
        lost = parent.connection is None or not parent.connection.connected
        dispatcher = parent.event_dispatcher
        if lost and dispatcher is not None and dispatcher.connection is not None:
            dispatcher.connection.collect()
