"""How long an agent waits after a fault."""

import json
import signal
from collections.abc import Iterator

import pytest

from db.roles import Role
from tests.databases import Database
from workers import agent

FIRST_SECONDS, LONGEST_SECONDS = 0.01, 0.04


class Faulty(agent.Agent):
    """Fails at once three times, works for a while, fails again, and stops."""

    name = "faulty"
    role = Role.DISPATCHER

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def run_once(self) -> int:
        """Do nothing."""
        return 0

    def run(self) -> None:
        """Fail, or end."""
        self.runs += 1
        if self.runs == 4:
            self.stopping.wait(2 * LONGEST_SECONDS)
        if self.runs == 5:
            self.stopping.set()
            return
        raise ConnectionResetError("the other side is away")


@pytest.fixture
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(agent, "FIRST_PAUSE_SECONDS", FIRST_SECONDS)
    monkeypatch.setattr(agent, "LONGEST_PAUSE_SECONDS", LONGEST_SECONDS)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_short_pauses")
def test_pauses_grow_while_it_fails_and_are_short_again_once_it_worked(
    database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    Faulty().main()
    written = capfd.readouterr()
    lines = [json.loads(line) for line in (written.out + written.err).splitlines() if line.startswith("{")]

    assert [line["pause_seconds"] for line in lines if line["event"] == "agent_interrupted"] == [0.01, 0.02, 0.04, 0.01]
