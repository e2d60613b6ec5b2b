"""The processes of a system: started, and started again when they died, as a supervisor does."""

import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tasks.proof.processes import Process, running

LOOK_SECONDS = 0.2
RESTART_PAUSE_SECONDS = 0.5
"""How long what a dead main process leaves behind goes on before it is ended too."""


@dataclass
class Member:
    """One process, by the command line that production uses: `python -m module...`."""

    name: str
    module: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    starts: int = 0
    process: Process | None = None
    run: ExitStack = field(default_factory=ExitStack)

    @property
    def is_alive(self) -> bool:
        """True when it runs, or is stopped by a signal."""
        return self.process is not None and self.process.popen.poll() is None

    def main(self) -> list[psutil.Process]:
        """Return its main process, if there is one."""
        if self.process is None or not self.is_alive:
            return []
        try:
            return [psutil.Process(self.process.popen.pid)]
        except psutil.NoSuchProcess:
            return []

    def children(self) -> list[psutil.Process]:
        """Return what its main process started, by pid."""
        try:
            return sorted((child for each in self.main() for child in each.children()), key=lambda child: child.pid)
        except psutil.NoSuchProcess:
            return []


class Crew:
    """All members, and a thread that keeps them running."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.members: dict[str, Member] = {}
        self._environment = environment
        self._closing = threading.Event()
        self._changing = threading.Lock()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def add(self, name: str, *module: str, **environment: str) -> None:
        """Have one more member."""
        self.members[name] = Member(name, module, environment)

    def start(self) -> None:
        """Start everyone, and whoever dies from now on."""
        for member in self.members.values():
            self._start(member)
        self._supervisor.start()

    def stop(self) -> None:
        """End everyone, with all they started."""
        self._closing.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        # All is written down by now, so nobody is asked to end in order.
        for process in [process for member in self.members.values() for process in member.main()]:
            process.kill()
        with ExitStack() as all_:
            for member in self.members.values():
                all_.push(member.run)

    def of(self, prefix: str) -> list[Member]:
        """Return the members whose names begin so."""
        return [member for name, member in self.members.items() if name.startswith(prefix)]

    def wrote(self, prefix: str, text: str) -> int:
        """Return how many lines with this text those members wrote, all their lives together."""
        logs = [self.directory / f"{member.name}.log" for member in self.of(prefix)]
        return sum(text in line for log in logs for line in log.read_text(errors="replace").splitlines())

    def _start(self, member: Member) -> None:
        member.run = ExitStack()
        member.process = member.run.enter_context(
            running(
                member.name,
                *member.module,
                directory=self.directory,
                environment={**self._environment, **member.environment},
            )
        )
        member.starts += 1

    def _supervise(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            dead = [member for member in self.members.values() if not member.is_alive]
            if dead:
                time.sleep(RESTART_PAUSE_SECONDS)
            for member in dead:
                with self._changing:
                    if not self._closing.is_set() and not member.is_alive and self.members[member.name] is member:
                        member.run.close()
                        self._start(member)
