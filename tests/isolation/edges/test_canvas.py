"""Every edge of Celery, taken by two tenants at once: each step is taken in its publisher's tenant, and only there."""

import ast
import json
from collections import Counter
from pathlib import Path

import pytest
import redis

from tests.databases import TestTenant
from tests.isolation.edges.canvases import GROWN
from tests.isolation.edges.conftest import Edges
from tests.isolation.edges.footprints import Footprint, footprints
from tests.isolation.edges.walks import EAGER, NOWHERE, WALKS, id_for
from tests.waiting import wait_until

FROM_A_JOB, FROM_A_CALL = "word-from-a-job", "word-from-a-call"
CARRIED = (FROM_A_JOB, FROM_A_CALL, "quoting", "pw1.")
"""What stands in every payload and result, in every error's text, and in every token."""


def words_of(walk: str, tenant: TestTenant) -> tuple[str, str]:
    return f"{tenant.slug}-{walk}-{FROM_A_JOB}", f"{tenant.slug}-{walk}-{FROM_A_CALL}"


def steps_of(walk: str, word: str) -> Counter[tuple[str, str]]:
    """Return what is to be left for the word: (word, step)."""
    steps = [(word, id_for(word) if step == "<its id>" else step) for step in WALKS[walk].steps]
    return Counter(steps + [(id_for(word, name), "after failure") for name in WALKS[walk].failures])


def taken(found: list[Footprint]) -> Counter[tuple[str, str]]:
    return Counter((each.word, each.step) for each in found)


def wait_for_steps(edges: Edges, tenant: TestTenant, expected: Counter[tuple[str, str]]) -> list[Footprint]:
    """Return the footprints once all are left, and note them as expected."""
    words = {word for word, _ in expected}

    def left() -> list[Footprint] | None:
        found = list(footprints(edges.site.database, *words))
        return found if len(found) >= expected.total() else None

    found = wait_until(left, timeout_seconds=30, what=str(expected))
    assert found is not None
    edges.expected.update(expected)

    assert taken(found) == expected
    assert {each.tenant_id for each in found} == {tenant.id}
    return found


@pytest.mark.parametrize("walk", WALKS)
def test_every_step_is_taken_in_its_publishers_tenant(edges: Edges, walk: str) -> None:
    for tenant in edges.tenants:
        edges.take(tenant, walk, words_of(walk, tenant)[0])
    for tenant in edges.tenants:
        edges.call(tenant, "edges.take_as_call", walk=walk, word=words_of(walk, tenant)[1])
    found = [
        each
        for tenant in edges.tenants
        for word in words_of(walk, tenant)
        for each in wait_for_steps(edges, tenant, steps_of(walk, word))
    ]

    # With one slot all bodies meet the same pooled connection, one tenant's after the other's.
    assert edges.setting.slots > 1 or walk in EAGER or len({each.backend_pid for each in found}) == 1


def test_a_chord_grows_in_its_tenant_or_not_at_all(edges: Edges) -> None:
    words = {tenant: f"{tenant.slug}-growing-{FROM_A_JOB}" for tenant in edges.tenants}
    for tenant, word in words.items():
        edges.site.enqueue(tenant, "edges.take_and_grow", {"walk": "", "word": word})

    for tenant, word in words.items():
        ended = wait_until(lambda: edges.ended(id_for(word)), timeout_seconds=30)  # noqa: B023 - called at once
        assert ended == ("task-succeeded" if edges.setting.joins_natively else "task-failed")
        steps = GROWN if edges.setting.joins_natively else ("b",)
        wait_for_steps(edges, tenant, Counter((word, step) for step in steps))


def test_no_other_step_was_taken(edges: Edges) -> None:
    # Behind these nothing waits any more that was published before.
    for tenant in edges.tenants * 4:
        edges.site.run(tenant, "edges.take", {"walk": NOWHERE, "word": ""})
    found = edges.site.database.ask("select word, step, count(*) from app.footprints group by word, step")

    assert {(word, step): count for word, step, count in found} == dict(edges.expected)


def test_neither_log_nor_events_tell_what_was_carried(edges: Edges) -> None:
    events = json.dumps(edges.watcher.events(), default=str)
    logs = edges.site.worker.output() + edges.site.dispatcher.output()

    assert "call_started" in logs
    assert [word for word in CARRIED if word in events + logs] == []


def test_every_task_of_a_tenant_is_found_by_the_tenants_name(edges: Edges) -> None:
    received = [each for each in edges.watcher.events("task-received") if each["name"] != "celery.chord_unlock"]

    assert {each["args"] for each in received} == {"()"}
    assert {ast.literal_eval(each["kwargs"])["tenant"] for each in received} == {"tenant-a", "tenant-b"}


def test_what_joins_chords_is_found_by_the_tenants_name_too(edges: Edges) -> None:
    joining = [each for each in edges.watcher.events("task-received") if each["name"] == "celery.chord_unlock"]

    assert {each["args"] for each in joining} <= {"()"}
    assert {each["kwargs"] for each in joining} <= {"{'tenant': 'tenant-a'}", "{'tenant': 'tenant-b'}"}


def test_results_are_kept_without_tokens_and_without_what_errors_say(edges: Edges) -> None:
    kept = _kept(edges.results_url)

    assert b"CallFailedError" in kept
    assert [text for text in (b"pw1.", b"quoting") if text in kept] == []


def _kept(results_url: str) -> bytes:
    if results_url.startswith("file:"):
        return b"".join(path.read_bytes() for path in Path(results_url.removeprefix("file://")).iterdir())
    with redis.Redis.from_url(results_url) as client:
        return b"".join(client.dump(key) or b"" for key in client.scan_iter(count=10_000))
