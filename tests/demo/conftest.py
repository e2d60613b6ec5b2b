"""Running `partywall demo` as a person would, with a temporary directory in which nothing may be left."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from cli.stack.services import PROJECT


@dataclass
class DemoRunner:
    """Starts demos whose temporary directory is `scratch`."""

    scratch: Path

    def start(self, *arguments: object) -> "subprocess.Popen[str]":
        """Start `partywall demo` with its output in pipes."""
        return subprocess.Popen(
            [sys.executable, "-c", "from cli.main import app; app()", "demo", *map(str, arguments)],
            cwd=PROJECT,
            env=os.environ | {"TMPDIR": str(self.scratch)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, *arguments: object, timeout_seconds: float) -> "subprocess.CompletedProcess[str]":
        """Run `partywall demo` to its end."""
        with self.start(*arguments) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout_seconds)
            except subprocess.TimeoutExpired:
                process.terminate()  # it stops what it started
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def left_behind(self) -> list[str]:
        """Return what there is still: processes of its stacks, and files in its temporary directory."""
        found = [str(path) for path in self.scratch.iterdir()]
        for process in psutil.process_iter():
            try:
                told = [process.environ().get("PARTYWALL_HOME", ""), *process.cmdline()]
            except psutil.Error:
                continue  # gone while we looked, or another user's
            if any(str(self.scratch) in each for each in told):
                found.append(f"{process.pid}: {' '.join(told[1:])}")
        return found


@pytest.fixture
def demo() -> Iterator[DemoRunner]:
    """A runner of demos. Whatever a test finds, nothing is left when it ends."""
    # Not in `tmp_path`: as a person's, the path is short enough for the supervisor's socket.
    with TemporaryDirectory(prefix="demo-") as scratch:
        runner = DemoRunner(Path(scratch))
        yield runner

        assert runner.left_behind() == []


Write = Callable[[str], Path]


@pytest.fixture
def orders_csv(tmp_path: Path) -> Write:
    """A function that writes a CSV file and returns where."""

    def write(text: str) -> Path:
        path = tmp_path / "orders.csv"
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return write
