"""The producer as a process of its own."""

import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress

from cli.demo.errors import ProducerError
from cli.demo.events import Event, Order, ProducerFailed, read_event
from cli.stack.services import PROJECT

STOP_SECONDS = 10


def produce(order: Order) -> Generator[Event, None, None]:
    """Start the producer on an order and return what it says, as it says it. Leaving early ends it.

    Raises:
        ProducerError: it gave up; the message says why.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.demo.producer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=PROJECT,
        start_new_session=True,  # Ctrl-C in the terminal is ours to pass on
    )
    try:
        for line in _converse(process, order.model_dump_json()):
            event = read_event(line)
            if isinstance(event, ProducerFailed):
                raise ProducerError(f"The producer gave up: {event.reason}")
            yield event
        if process.wait() != 0:
            raise ProducerError(exit_code=process.returncode)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _converse(process: "subprocess.Popen[str]", said: str) -> Iterator[str]:
    """Say something on the process's standard input, and return the lines it answers."""
    if process.stdin is not None and process.stdout is not None:  # as they are, both being pipes
        # Whether it read that or had died before shows in how it ends.
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(said)
        with process.stdout:
            yield from process.stdout
