"""Messages that no worker can make sense of, and a clock that names no tenant."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.isolation.edges import beat_of_a_careless_adopter
from tests.isolation.edges.conftest import Edges
from tests.isolation.edges.footprints import footprints
from tests.isolation.edges.messages import Message, captured, put
from tests.waiting import wait_until

SECRET = "what-only-the-tenant-may-read"
FOLLOWER: dict[str, Any] = {
    "task": "edges.step",
    "args": [SECRET],
    "kwargs": {},
    "options": {},
    "subtask_type": None,
    "immutable": True,
}

Garble = Callable[[Message], Message]

GARBLED: dict[str, tuple[Garble, dict[str, Any]]] = {
    "no JSON": (lambda m: Message(f"{{{SECRET}", m.headers), {}),
    "no arguments": (lambda m: Message(json.dumps(SECRET), m.headers), {}),
    "arguments that are none": (lambda m: Message(json.dumps([[], [SECRET], {}]), m.headers), {}),
    "pickled": (lambda m: m, {"content_type": "application/x-python-serialize", "content_encoding": "binary"}),
    "of an unknown kind": (lambda m: m, {"content_type": "application/x-unheard-of"}),
    "squeezed in an unknown way": (lambda m: m.with_headers(compression="x-unheard-of"), {}),
    "of an unknown task": (lambda m: m.with_headers(task="edges.of_tomorrow", errbacks=[FOLLOWER]), {}),
    "of no task": (lambda m: m.with_headers(task=None, chain=[FOLLOWER]), {}),
    "without headers": (lambda m: Message(m.body, {}), {}),
    "with a number for a body": (lambda m: Message("5", m.headers), {}),
    "with half a body": (lambda m: Message("[[]]", m.headers), {}),
    "with a time limit of its own making": (lambda m: m.with_headers(timelimit=SECRET), {}),
    "with tries that are no number": (lambda m: m.with_headers(retries=SECRET), {}),
    "with a number for an id": (lambda m: m.with_headers(id=7), {}),
    "for a moment that is none": (lambda m: m.with_headers(eta=SECRET), {}),
    "with half a step to follow": (lambda m: m.leading_to(chain=[{"task": "edges.step", "args": [SECRET]}]), {}),
    "with a number for an errback": (lambda m: m.leading_to(errbacks=[5]), {}),
    "with text for a chord": (lambda m: m.leading_to(chord=SECRET), {}),
    "with a request of its own making": (lambda m: m.leading_to(is_eager=True, called_directly=True), {}),
    "with half a step in its headers": (lambda m: m.with_headers(chain=[{"task": "edges.step", "args": [SECRET]}]), {}),
    "of Celery's first protocol": (
        lambda m: Message(
            json.dumps({"task": "edges.step", "id": str(uuid.uuid4()), "args": [SECRET], "kwargs": {"word": SECRET}}),
            {"partywall_token": m.headers["partywall_token"]},
        ),
        {},
    ),
}


@pytest.mark.parametrize("garbled", GARBLED)
def test_an_unreadable_message_starts_nothing_tells_nothing_and_ends_no_worker(system: Edges, garbled: str) -> None:
    garble, properties = GARBLED[garbled]
    mine, theirs = system.tenants
    pid = system.site.worker.popen.pid
    put(system, garble(captured(system, mine, "edges.step", word=SECRET)), **properties)

    assert system.site.run(theirs, "edges.step", {"word": "the next job"}).state == "succeeded"
    assert system.site.worker.popen.pid == pid
    assert footprints(system.site.database, SECRET) == []
    told = system.site.worker.output() + json.dumps(system.watcher.events())
    assert [secret for secret in (SECRET, "pw1.") if secret in told] == []


def test_a_message_of_an_unknown_task_says_in_one_line_that_it_is_one(system: Edges) -> None:
    before = len(system.site.worker.output())
    put(system, captured(system, system.tenants[0], "edges.step", word=SECRET).with_headers(task="edges.unheard_of"))
    system.site.worker.wait_for_line("edges.unheard_of")
    line = next(each for each in system.site.worker.output()[before:].splitlines() if "edges.unheard_of" in each)

    assert json.loads(line)["event"].startswith("message_refused: its task is not registered here")


def test_beat_starts_no_tenants_task_and_says_why(system: Edges, tmp_path: Path) -> None:
    beat = system.site.start(
        "beat", "celery", "-A", beat_of_a_careless_adopter.__name__, "beat", "--loglevel=INFO", "--schedule",
        str(tmp_path / "schedule"), "--pidfile=",
    )  # fmt: skip
    beat.wait_for_line("Sending due task careless")
    beat.wait_for_line("No tenant")

    assert "edges.step" in beat.output()
    assert footprints(system.site.database, "by the clock") == []


def test_an_expired_call_never_runs(system: Edges) -> None:
    mine = system.tenants[0]
    message = captured(system, mine, "edges.step", word="too late")
    put(system, message.with_headers(expires="2026-01-01T00:00:00+00:00"))
    wait_until(lambda: system.ended(message.id), timeout_seconds=20)

    assert system.ended(message.id) == "task-revoked"
    assert footprints(system.site.database, "too late") == []
