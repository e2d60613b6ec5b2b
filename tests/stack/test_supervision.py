"""The supervisor, with programs that do what the test needs."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cli.stack.errors import HomeUnusableError, StackStartError
from cli.stack.home import Home
from cli.stack.processes import ProcessIdentity
from cli.stack.programs import Program
from cli.stack.supervision import Supervision
from cli.stack.supervisor_client import State, SupervisorClient
from cli.stack.supervisor_config import LONGEST_SOCKET_PATH
from tests.waiting import wait_until

Launch = Callable[..., Supervision]
SERVE = "import signal; print('serving', flush=True); signal.pause()"


def _program(name: str, code: str = SERVE, **settings: object) -> Program:
    return Program(name, [sys.executable, "-c", f"exec({code!r})"], Path("/"), **settings)  # type: ignore[arg-type]


def _ignore(step: str) -> None:
    pass


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose path holds what configuration files stumble over."""
    home = Home(tmp_path / 'ho me %s"%(x)s')
    home.create()
    return home


@pytest.fixture
def launch(home: Home) -> Iterator[Launch]:
    """Starts a supervisor for programs, and ends it after the test."""
    supervision = Supervision(home)

    def launch(*programs: Program) -> Supervision:
        environment = os.environ | {"PARTYWALL_HOME": str(home.root)}
        supervision.launch(programs, addresses={}, environment=environment)
        return supervision

    yield launch
    supervision.shutdown()


def test_a_program_is_ready_once_it_says_so(launch: Launch, home: Home) -> None:
    program = _program("server", ready_line="serving")
    supervision = launch(program)
    steps: list[str] = []
    supervision.start([program], steps.append)

    assert steps == ["server is ready"]
    assert "serving" in home.log("server").read_text()


def test_what_a_former_run_logged_does_not_make_a_program_ready(launch: Launch, home: Home) -> None:
    home.log("server").write_text("serving\n")
    program = _program("server", "import signal; signal.pause()", ready_line="serving", ready_within_seconds=2)
    supervision = launch(program)

    with pytest.raises(StackStartError, match="not ready within 2 s"):
        supervision.start([program], _ignore)


def test_a_program_that_ends_is_shown_with_the_last_it_wrote(launch: Launch) -> None:
    program = _program("server", "raise SystemExit('no such file: orders.csv')")
    supervision = launch(program)

    with pytest.raises(StackStartError, match=r"server ended[\s\S]*no such file: orders.csv"):
        supervision.start([program], _ignore)


def test_a_program_that_is_not_there_is_named(launch: Launch) -> None:
    program = Program("server", ["/nowhere/server"], Path("/"))
    supervision = launch(program)

    with pytest.raises(StackStartError, match=r"server could not be started: .*/nowhere/server"):
        supervision.start([program], _ignore)


def test_a_killed_program_comes_back(launch: Launch) -> None:
    program = _program("server")
    supervision = launch(program)
    supervision.start([program], _ignore)
    first = supervision.states()["server"].pid
    assert first is not None
    os.kill(first, signal.SIGKILL)

    def has_come_back() -> bool:
        now = supervision.states()["server"]
        return now.state is State.RUNNING and now.pid != first

    assert wait_until(has_come_back, timeout_seconds=10)


def test_a_program_that_does_not_stop_is_killed(launch: Launch) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('serving', flush=True)\n"
    program = _program("server", stubborn + "while True: signal.pause()", ready_line="serving", stop_seconds=1)
    supervision = launch(program)
    supervision.start([program], _ignore)
    pid = supervision.states()["server"].pid
    assert pid is not None
    supervision.stop(["server"], _ignore)

    assert not psutil.pid_exists(pid)


def test_a_stack_that_is_stopping_counts_as_gone(launch: Launch) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('serving', flush=True)\n"
    program = _program("server", stubborn + "while True: signal.pause()", ready_line="serving", stop_seconds=3)
    supervision = launch(program)
    supervision.start([program], _ignore)
    record, pid = supervision.record(), supervision.states()["server"].pid
    assert record is not None
    assert pid is not None
    SupervisorClient(Path(record.socket)).shutdown()

    assert wait_until(lambda: supervision.states() == {}, timeout_seconds=2)
    assert psutil.pid_exists(pid)


def test_the_order_to_stop_goes_to_the_parent_alone(launch: Launch, home: Home) -> None:
    # As with Celery: the parent waits for the child to end its job, which a signal would interrupt.
    code = (
        "import os, signal\n"
        "reading, writing = os.pipe()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    signal.signal(signal.SIGTERM, lambda *_: os._exit(7))\n"
        "    os.read(reading, 1)\n"
        "    os._exit(0)\n"
        "def stop(*_):\n"
        "    os.write(writing, b'.')\n"
        "    print('the child ended with', os.waitpid(child, 0)[1], flush=True)\n"
        "    os._exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('serving', flush=True)\n"
        "while True: signal.pause()\n"
    )
    program = _program("server", code, ready_line="serving")
    supervision = launch(program)
    supervision.start([program], _ignore)
    supervision.stop(["server"], _ignore)

    assert "the child ended with 0" in home.log("server").read_text()


def test_a_shutdown_leaves_no_process_no_socket_and_no_record(launch: Launch, home: Home) -> None:
    programs = [_program("one", ready_line="serving"), _program("two", ready_line="serving")]
    supervision = launch(*programs)
    supervision.start(programs, _ignore)
    record = supervision.record()
    assert record is not None
    pids = [record.supervisor.pid, *(status.pid for status in supervision.states().values() if status.pid)]
    supervision.shutdown()

    assert len(pids) == 3
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert not Path(record.socket).exists()
    assert supervision.record() is None


def test_what_a_killed_supervisor_left_running_is_found_and_stopped(launch: Launch, home: Home) -> None:
    program = _program("server", ready_line="serving")
    supervision = launch(program)
    supervision.start([program], _ignore)
    record, pid = supervision.record(), supervision.states()["server"].pid
    assert record is not None
    assert pid is not None
    orphan = ProcessIdentity.of(pid)
    os.kill(record.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not record.supervisor.is_alive(), timeout_seconds=5)
    steps: list[str] = []

    assert Supervision(home).sweep(steps.append)
    assert steps == ["clearing up after a crash: 1 processes left behind"]
    assert not orphan.is_alive()
    assert not Supervision(home).sweep(steps.append)


def test_a_home_too_deep_for_a_socket_gets_one_elsewhere_and_it_is_removed(tmp_path: Path) -> None:
    home = Home(tmp_path / ("d" * LONGEST_SOCKET_PATH))
    home.create()
    supervision = Supervision(home)
    supervision.launch([], addresses={}, environment=os.environ)
    record = supervision.record()
    assert record is not None
    away = Path(record.socket).parent

    assert away != home.run
    assert away.stat().st_mode & 0o777 == 0o700
    supervision.shutdown()
    assert not away.exists()


def test_a_path_the_supervisor_cannot_read_is_refused_in_plain_words(launch: Launch) -> None:
    with pytest.raises(HomeUnusableError, match="blank followed by ; or #"):
        launch(Program("server", ["/data #1/server"], Path("/")))
