"""Threads that start at one moment, to find out who wins."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Answer = TypeVar("Answer")


def at_once(threads: int, act: Callable[[], Answer]) -> list[Answer]:
    """Return what each thread got, all of them started at the same moment."""
    start = threading.Barrier(threads)

    def run(_: int) -> Answer:
        start.wait(10)
        return act()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))
