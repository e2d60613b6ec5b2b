"""Partywall's own processes as the stack runs them: each by the command line that production uses."""

import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from cli.stack.home import Home
from cli.stack.ports import HOST
from cli.stack.programs import Program

# Where `celeryconfig.py` and `sql/` are. The project runs from its checkout, so it is found from here.
PROJECT = Path(__file__).resolve().parents[2]

FLOWER_COLUMNS = "name,uuid,state,kwargs,received,started,runtime,worker"


def answers(url: str) -> Callable[[], bool]:
    """Return a check whether a GET of `url` answers 200."""

    def check() -> bool:
        try:
            # Nobody's HTTP_PROXY may stand between us and the loopback interface.
            return httpx.get(url, timeout=2, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    return check


def services(home: Home, *, api_url: str, flower_port: int) -> list[Program]:
    """Return API, dispatcher, reaper, worker, beat and Flower."""
    return [
        Program("api", _module("api"), PROJECT, is_ready=answers(f"{api_url}/readyz")),
        Program("dispatcher", _module("workers.dispatcher"), PROJECT, ready_line="agent_started"),
        Program("reaper", _module("workers.reaper"), PROJECT, ready_line="agent_started"),
        _worker(),
        _beat(home),
        _flower(flower_port),
    ]


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _celery(*arguments: str) -> list[str]:
    return [*_module("celery"), "-A", "workers", *arguments]


def _worker() -> Program:
    return Program(
        "worker",
        _celery(  # without --queues: it serves every queue that celeryconfig.py declares
            "worker",
            "--loglevel=INFO",
            "--concurrency=2",
            "--task-events",
            "--without-gossip",
            "--without-mingle",
            "--hostname=worker@%h",
        ),
        PROJECT,
        # A warm shutdown: it ends the jobs it has and takes no more, so an idle worker stops at once.
        # What needs longer than PARTYWALL_SHUTDOWN_GRACE_SECONDS, 30, is handed back; what is killed all the same
        # loses its lease. Either runs again.
        stop_seconds=40,
        ready_line=" ready.",  # `inspect ping` would need remote control, which is off
    )


def _beat(home: Home) -> Program:
    command = _celery("beat", "--loglevel=INFO", f"--schedule={home.beat / 'schedule'}")
    return Program("beat", command, PROJECT, ready_line="beat_started")


def _flower(port: int) -> Program:
    return Program(
        "flower",
        _celery(
            "flower",
            f"--address={HOST}",
            f"--port={port}",
            "--persistent=False",
            "--read_only=True",
            f"--tasks_columns={FLOWER_COLUMNS}",
        ),
        PROJECT,
        # Its API asks for a login unless told otherwise. It listens on the loopback interface only, reads
        # only, and what it can show is ids: no payload ever reaches it.
        environment={"FLOWER_UNAUTHENTICATED_API": "true"},
        is_ready=answers(f"http://{HOST}:{port}/"),
    )
