"""The producer as a process of its own."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import suppress

from cli.demo.errors import ProducerError
from cli.demo.events import Event, Order, ProducerFailed, read_event
from cli.stack.services import PROJECT

STOP_SECONDS = 10


def produce(order: Order) -> Generator[Event, None, None]:
    """Start the producer on an order and return what it says, as it says it. Closing the generator ends it.

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
        yield from _converse(process, order)
        if process.wait() != 0:
            raise ProducerError(exit_code=process.returncode)
    finally:
        _end(process)


def _converse(process: "subprocess.Popen[str]", order: Order) -> Generator[Event, None, None]:
    if process.stdin is None or process.stdout is None:
        return  # cannot be: both are pipes
    with suppress(BrokenPipeError):  # it died before: how it ended tells
        process.stdin.write(order.model_dump_json())
        process.stdin.close()
    for line in process.stdout:
        event = read_event(line)
        if isinstance(event, ProducerFailed):
            raise ProducerError(f"The producer gave up: {event.reason}")
        yield event


def _end(process: "subprocess.Popen[str]") -> None:
    # Before its pipes are closed: half an order would be one more thing it complains about.
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
