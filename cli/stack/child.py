"""A server as a child process of ours, for tests and tools that need one server and no supervisor."""

import pwd
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cli.stack.deadline import wait_until
from cli.stack.errors import StackStartError
from cli.stack.logs import LogFile


@contextmanager
def running_child(
    name: str,
    command: Sequence[str],
    *,
    log: Path,
    is_ready: Callable[[], bool],
    ready_within_seconds: float,
    environment: Mapping[str, str],
    system_user: str | None = None,
    stop_signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGKILL),
    stop_seconds: float = 10,
) -> Iterator[int]:
    """Run `command` while the block runs, and yield its pid once it is ready.

    Afterwards each of `stop_signals` gets `stop_seconds` to end it. Output goes to the file `log`.

    Raises:
        StackStartError: it ended, or was not ready in time.
    """
    written = LogFile(log)
    account = pwd.getpwnam(system_user) if system_user else None
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd="/",
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,  # Ctrl-C in the terminal is ours to pass on, once the block is over
        )
    try:
        wait_until(lambda: process.poll() is not None or is_ready(), timeout_seconds=ready_within_seconds)
        if process.poll() is not None:
            raise StackStartError.of(name, f"ended with {process.returncode}", log=log, tail=written.tail())
        if not is_ready():
            raise StackStartError.of(
                name, f"was not ready within {ready_within_seconds:.0f} s", log=log, tail=written.tail()
            )
        yield process.pid
    finally:
        _stop(process, stop_signals, stop_seconds)


def _stop(process: "subprocess.Popen[bytes]", signals: Sequence[signal.Signals], seconds: float) -> None:
    for number in signals:
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return
    process.wait()
