"""One supervisor for all processes of a home: it starts, restarts and stops them, and outlives its caller."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cli.stack.deadline import wait_until
from cli.stack.errors import StackStartError, StackStopError, SupervisorGoneError
from cli.stack.home import Home
from cli.stack.logs import LogFile
from cli.stack.processes import ProcessIdentity, session_members, wait_gone
from cli.stack.programs import Program
from cli.stack.record import StackRecord
from cli.stack.supervisor_client import ProcessStatus, State, SupervisorClient
from cli.stack.supervisor_config import configuration, remove_socket, socket_for

OnStep = Callable[[str], None]


class Supervision:
    """The supervisor of the stack in `home`, running or not."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._child: subprocess.Popen[bytes] | None = None

    def record(self) -> StackRecord | None:
        """Return what is known about the running stack, None if none runs."""
        self._ended()  # as our own child it has to be collected, whoever stopped it
        record = StackRecord.load(self._home.run)
        return record if record is not None and record.supervisor.is_alive() else None

    def launch(self, programs: Sequence[Program], *, addresses: dict[str, str], environment: Mapping[str, str]) -> None:
        """Start the supervisor, detached, with `programs` configured and none of them started.

        `environment` is what every program sees; `addresses` is kept for those who ask where the stack is.
        """
        socket = socket_for(self._home)
        configured = self._home.run / "supervisord.conf"
        configured.write_text(configuration(self._home, programs, socket))
        log = self._home.log("supervisor-errors")
        written = LogFile(log)
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", "run/supervisord.conf"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=self._home.root,
                # A session of its own: Ctrl-C reaches only us, and we stop the processes in order. The
                # session is also how what a killed supervisor leaves behind is found again.
                start_new_session=True,
            )
        StackRecord(ProcessIdentity.of(self._child.pid), str(socket), addresses).save(self._home.run)
        client = SupervisorClient(socket)
        if not wait_until(lambda: self._ended() or client.answers(), timeout_seconds=20) or self._ended():
            raise StackStartError.of("The supervisor", "did not start", log=log, tail=written.tail())

    def start(self, programs: Sequence[Program], on_step: OnStep) -> None:
        """Start `programs` at once and return when each of them serves.

        Raises:
            StackStartError: one of them ended, or did not serve within its time.
        """
        written = {program.name: LogFile(self._home.log(program.name)) for program in programs}
        client = self._client()
        for program in programs:
            client.start(program.name)
        begun_at = time.monotonic()
        waiting = list(programs)
        while waiting:
            states = client.states()
            for program in list(waiting):
                status = states[program.name]
                log = written[program.name]
                if status.state.has_failed:
                    detail = f"ended ({status.detail})" if status.detail else "ended"
                    raise StackStartError.of(program.name, detail, log=log.path, tail=log.tail())
                if self._serves(program, status, log):
                    waiting.remove(program)
                    on_step(f"{program.name} is ready")
                elif time.monotonic() - begun_at > program.ready_within_seconds:
                    late = f"was not ready within {program.ready_within_seconds:.0f} s"
                    raise StackStartError.of(program.name, late, log=log.path, tail=log.tail())
            time.sleep(0.1 if waiting else 0)

    def wait_settled(self, *, timeout_seconds: float = 5) -> None:
        """Return when all processes have been up for a second, as the supervisor counts it."""
        running = [State.RUNNING, State.STOPPED]
        wait_until(
            lambda: all(status.state in running for status in self.states().values()),
            timeout_seconds=timeout_seconds,
        )

    @staticmethod
    def _serves(program: Program, status: ProcessStatus, log: LogFile) -> bool:
        if program.ready_line is not None and program.ready_line not in log.text():
            return False
        if program.is_ready is not None:
            return program.is_ready()
        return program.ready_line is not None or status.state is State.RUNNING

    def stop(self, names: Sequence[str], on_step: OnStep) -> None:
        """Tell `names` to stop, all at once, and return when they have. Those that do not are killed.

        It gives up after a minute; `shutdown()` deals with what is left then.
        """
        client = self._client()
        waiting = [name for name, status in client.states().items() if name in names and not status.state.is_over]
        for name in waiting:
            client.stop(name)
        deadline = time.monotonic() + 60
        while waiting and time.monotonic() < deadline:
            states = client.states()
            for name in [name for name in waiting if states[name].state.is_over]:
                waiting.remove(name)
                on_step(f"{name} has stopped")
            time.sleep(0.1 if waiting else 0)

    def states(self) -> dict[str, ProcessStatus]:
        """Return every process by name, empty if no stack runs or it has only begun to start."""
        if self.record() is None:
            return {}
        with suppress(SupervisorGoneError):
            return self._client().states()
        return {}

    def shutdown(self, *, timeout_seconds: float = 60) -> None:
        """End the supervisor and what is left of its processes, also after a crash.

        Raises:
            StackStopError: something survived being killed.
        """
        record = StackRecord.load(self._home.run)
        if record is None:
            if self._child is not None:  # interrupted right after its start: it has started nothing yet
                self._child.terminate()
                self._collect(timeout_seconds)
            return
        members = session_members(record.supervisor, self._home.root)
        client = SupervisorClient(Path(record.socket))
        if client.answers():
            client.shutdown()  # it stops what still runs, each by its own signal
        else:
            record.supervisor.send(signal.SIGTERM)  # the same, and a second slower
        self._collect(timeout_seconds)
        left = wait_gone([record.supervisor], timeout_seconds=timeout_seconds)
        left += session_members(record.supervisor, self._home.root)
        self._end(left or [member for member in members if member.is_alive()])
        remove_socket(self._home, Path(record.socket))
        StackRecord.remove(self._home.run)

    def sweep(self, on_step: OnStep) -> bool:
        """Clear away what a crash left: processes without a supervisor, socket, record. False if none did."""
        record = StackRecord.load(self._home.run)
        if record is None or record.supervisor.is_alive():
            return False
        orphans = session_members(record.supervisor, self._home.root)
        on_step(f"clearing up after a crash: {len(orphans)} processes left behind")
        self.shutdown()
        return True

    @staticmethod
    def _end(processes: Sequence[ProcessIdentity]) -> None:
        left = list(processes)
        # INT before TERM: it is what PostgreSQL stops fast at, and the others end on it too.
        for number, seconds in ((signal.SIGINT, 5), (signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            for process in left:
                process.send(number)
            left = wait_gone(left, timeout_seconds=seconds)
        if left:
            raise StackStopError(
                pids=", ".join(str(process.pid) for process in left),
                hint="Look at them with `ps -fp PID`; a disk or network mount that hangs holds them.",
            )

    def _ended(self) -> bool:
        return self._child is not None and self._child.poll() is not None

    def _collect(self, timeout_seconds: float) -> None:
        """Wait for the supervisor if it is our own child, which would otherwise stay as a zombie."""
        if self._child is not None:
            try:
                self._child.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                return  # the caller looks at what is left
            self._child = None

    def _client(self) -> SupervisorClient:
        record = StackRecord.load(self._home.run)
        if record is None:
            raise RuntimeError("asked for the supervisor of a stack that was never launched")
        return SupervisorClient(Path(record.socket))
