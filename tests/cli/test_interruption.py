"""Ctrl-C reaches a command wherever it is at that moment."""

import signal

import pytest

from cli.interruption import interrupted_once
from tests.waiting import wait_until


class Dying:
    """Is interrupted in its destructor, where Python swallows what is raised."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def never() -> bool:
    return False


def test_what_struck_in_a_destructor_is_raised_again() -> None:
    with pytest.raises(KeyboardInterrupt), interrupted_once():
        Dying()
        wait_until(never, timeout_seconds=10)


def test_the_second_interrupt_does_not_disturb_what_the_first_began() -> None:
    stopped = False
    with pytest.raises(KeyboardInterrupt), interrupted_once():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGINT)
            stopped = True

    assert stopped
