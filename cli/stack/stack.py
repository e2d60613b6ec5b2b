"""The embedded stack: all processes of Partywall on one machine, up and down as one thing."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from cli.stack.errors import StackAlreadyRunningError, SupervisorGoneError
from cli.stack.home import Home
from cli.stack.home_lock import home_lock
from cli.stack.plan import Plan
from cli.stack.supervision import OnStep, Supervision
from cli.stack.supervisor_client import ProcessStatus
from cli.task_modules import load_task_modules

PROCESSES = ("postgres", "broker", "api", "dispatcher", "reaper", "worker", "beat", "flower")
SERVERS = ("postgres", "broker")


@dataclass(frozen=True)
class StackStatus:
    """What runs now. Both are empty if no stack runs from this home."""

    processes: dict[str, ProcessStatus]
    """In the order of their start."""
    addresses: dict[str, str]


class Stack:
    """The stack whose state is in `home`.

    `durable=False` trades the safety of the data in a crash of the machine for speed: for tests.
    """

    def __init__(self, home: Home, durable: bool = True) -> None:
        self.home = home
        self._durable = durable
        self._supervision = Supervision(home)

    def up(self, on_step: OnStep, processes: Sequence[str] = PROCESSES) -> dict[str, str]:
        """Start `processes`, migrate, wait until each of them serves; return where everything is, by name.

        Servers that the environment points at elsewhere are used instead of the embedded ones. `on_step`
        hears in a few words what happens.

        Raises:
            StackAlreadyRunningError: one runs from this home.
            BadInputError: a module of tasks is not fit to be imported; nothing was started.
            StackStartError: a process did not come up; all others have been stopped again.
        """
        # Before waiting for anything, and again below, once nobody else can start one.
        self._refuse_if_running()
        self.home.create()
        with home_lock(self.home):
            self._refuse_if_running()
            self._supervision.sweep(on_step)
            plan = Plan(self.home, durable=self._durable)
            # First, so that what an earlier `up` was told about tasks counts for nothing any more.
            self.home.write_settings(plan.settings())
            if "worker" in processes:
                load_task_modules()
            try:
                return self._start(plan, processes, on_step)
            except BaseException:  # Ctrl-C as well: half a stack is worse than none
                try:
                    on_step("stopping what was started")
                finally:  # also when nobody listens any more: a closed pipe is one way to get here
                    self._supervision.shutdown()
                raise

    def down(self, on_step: OnStep) -> bool:
        """Stop everything in order and clear up; return False if nothing was running.

        Raises:
            StackBusyError: an `up` was still at work after a minute.
            StackStopError: a process survived being killed.
        """
        if not self.home.run.exists():
            return False
        with home_lock(self.home, wait_seconds=60):
            if self._supervision.sweep(on_step):
                return True
            if self._supervision.record() is None:
                return False
            with suppress(SupervisorGoneError):  # killed meanwhile: shutdown() ends what it left
                # Servers last: what the others still have to write, they can.
                self._supervision.stop([name for name in PROCESSES if name not in SERVERS], on_step)
                self._supervision.stop(["broker"], on_step)
                self._supervision.stop(["postgres"], on_step)
            self._supervision.shutdown()
            return True

    def clear_up(self, on_step: OnStep) -> bool:
        """Stop what a killed supervisor left behind; return False if there was no crash."""
        with home_lock(self.home, wait_seconds=60):
            return self._supervision.sweep(on_step)

    def is_running(self) -> bool:
        """Return whether the stack's supervisor is alive."""
        return self._supervision.record() is not None

    def status(self) -> StackStatus:
        """Return what runs and where."""
        record = self._supervision.record()
        states = self._supervision.states()
        in_order = {name: states[name] for name in PROCESSES if name in states}
        return StackStatus(in_order, record.addresses if record else {})

    def _refuse_if_running(self) -> None:
        record = self._supervision.record()
        if record is not None:
            raise StackAlreadyRunningError(
                pid=record.supervisor.pid,
                **record.addresses,
                hint="Stop it with `partywall down`, or set PARTYWALL_HOME elsewhere for a second one.",
            )

    def _start(self, plan: Plan, processes: Sequence[str], on_step: OnStep) -> dict[str, str]:
        programs = [program for program in plan.programs(on_step) if program.name in processes]
        settings = plan.settings()
        environment = {name: value for name, value in os.environ.items() if name not in settings}
        environment |= {"PARTYWALL_HOME": str(self.home.root), "PYTHONUNBUFFERED": "1"}
        addresses = plan.addresses()
        self._supervision.launch(programs, addresses=addresses, environment=environment)
        for server in SERVERS:
            self._supervision.start([program for program in programs if program.name == server], on_step)
        if "postgres" in processes:
            plan.migrate(on_step)
        self._supervision.start([program for program in programs if program.name not in SERVERS], on_step)
        self._supervision.wait_settled()
        return addresses
