"""A measurement that runs in a process of its own ends when the one that started it is told to."""

import subprocess
import sys
from pathlib import Path

from tests.bench.running import ROOT
from tests.waiting import wait_until

MEASUREMENT = """
import sys, time
from pathlib import Path
from cli.interruption import interrupted_once
with interrupted_once():
    try:
        Path(sys.argv[1], "begun").touch()
        time.sleep(60)
    finally:
        Path(sys.argv[1], "stopped").touch()
"""
RUN = """
import sys
from bench.ending import run_to_end
from cli.interruption import interrupted_once
with interrupted_once():
    run_to_end([sys.executable, "-c", *sys.argv[1:]])
"""


def test_what_was_interrupted_stops_what_it_started(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN, MEASUREMENT, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        wait_until((tmp_path / "begun").exists, timeout_seconds=20)
        process.terminate()
        process.wait(20)

    assert process.returncode != 0
    assert (tmp_path / "stopped").exists()
