"""How long processes have worked: what a neighbour takes away from the wall clock does not count."""

from contextlib import suppress

import psutil


def cpu_seconds_of(pid: int) -> float:
    """Return how long a process and all it started have worked so far, children that are gone with it."""
    main = psutil.Process(pid)
    own = main.cpu_times()
    total = float(own.user + own.system + own.children_user + own.children_system)
    for child in main.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            its = child.cpu_times()
            total += its.user + its.system
    return total
