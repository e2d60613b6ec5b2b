"""What bodies may publish and enqueue, and what becomes of it when they fail."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from celery import signature
from celery.result import AsyncResult

from db.errors import NoTenantError
from db.jobs import JobRow
from tests.isolation.edges.conftest import Edges
from tests.isolation.edges.footprints import footprints
from tests.waiting import wait_until


def steps(system: Edges, word: str) -> Counter[str]:
    mine = system.tenants[0]
    found = footprints(system.site.database, word)
    assert {each.tenant_id for each in found} <= {mine.id}
    return Counter(each.step for each in found)


def run(system: Edges, task_name: str, **payload: str) -> JobRow:
    return system.site.run(system.tenants[0], task_name, payload)


def tries(system: Edges, task_name: str, word: str) -> dict[str, str]:
    """Run the job and return what became of each of its tries."""
    job = run(system, task_name, word=word)
    assert job.result is not None, job.error
    return dict(job.result["tries"])


def settle(system: Edges) -> None:
    """Return when nothing waits any more that was enqueued or published before."""
    for _ in range(2):
        run(system, "edges.step", word="the next job")


@pytest.mark.parametrize("as_call", [False, True])
def test_an_enqueued_job_exists_when_the_body_succeeds(system: Edges, as_call: bool) -> None:
    word = f"kept {as_call}"
    if as_call:
        system.call(system.tenants[0], "bodies.enqueue", word=word, step="succeeds")
    else:
        run(system, "bodies.enqueue", word=word, step="succeeds")
    wait_until(lambda: steps(system, word).total() >= 3, timeout_seconds=20)

    assert steps(system, word) == Counter(["itself", "enqueued", "published"])


@pytest.mark.parametrize("as_call", [False, True])
def test_an_enqueued_job_is_rolled_back_with_the_body_and_a_published_call_is_not(system: Edges, as_call: bool) -> None:
    word = f"rolled back {as_call}"
    if as_call:
        call = system.call(system.tenants[0], "bodies.enqueue", word=word, step="fails")
        wait_until(lambda: system.ended(call), timeout_seconds=20)
    else:
        assert run(system, "bodies.enqueue", word=word, step="fails").state == "failed"
    settle(system)

    assert steps(system, word) == Counter(["published"])


def test_a_thread_publishes_as_the_tenant_on_purpose_only(system: Edges) -> None:
    tried = tries(system, "bodies.publish_elsewhere", "elsewhere")
    wait_until(lambda: steps(system, "elsewhere"), timeout_seconds=20)
    settle(system)

    assert list(tried.values()) == ["NoTenantError"] * 3
    assert steps(system, "elsewhere") == Counter(["on purpose"])


def test_nothing_is_published_that_calls_a_tenants_task_as_a_function(system: Edges) -> None:
    tried = tries(system, "bodies.publish_for_each_item", "each item")

    assert list(tried.values()) == ["NoTenantError"] * 4
    assert steps(system, "each item") == Counter()


def test_a_payload_that_does_not_fit_is_refused_and_quoted_nowhere(system: Edges) -> None:
    call = system.call(system.tenants[0], "bodies.choose", word="what nobody likes")
    wait_until(lambda: system.ended(call), timeout_seconds=20)
    result: AsyncResult[Any] = AsyncResult(call, app=system.producer)

    assert (result.state, type(result.result).__name__) == ("FAILURE", "PayloadInvalidError")
    told = system.site.worker.output() + json.dumps(system.watcher.events()) + repr(result.result)
    assert "value_error" in system.site.worker.output()
    assert "what nobody likes" not in told


def test_another_process_publishes_a_signature_with_its_token_only(system: Edges, tmp_path: Path) -> None:
    run(system, "bodies.hand_over", word="handed", step=str(tmp_path))
    bare = signature(json.loads((tmp_path / "bare.json").read_text()), app=system.producer)
    with pytest.raises(NoTenantError):
        bare.delay()
    wait_until((tmp_path / "published.json").exists, timeout_seconds=20)
    signature(json.loads((tmp_path / "published.json").read_text()), app=system.producer).delay()
    wait_until(lambda: steps(system, "handed"), timeout_seconds=20)

    assert steps(system, "handed") == Counter(["handed over"])


def test_a_job_is_not_replaced(system: Edges) -> None:
    job = run(system, "bodies.replace", word="replaced")
    settle(system)

    assert job.state == "failed"
    assert job.error is not None
    assert job.error["type"] == "NotInAJobError"
    assert steps(system, "replaced") == Counter()


@pytest.mark.parametrize(("task_name", "step"), [("edges.retry", "3 after 0.1"), ("edges.autoretry", "")])
def test_a_job_that_asks_celery_for_a_retry_has_its_next_attempt(system: Edges, task_name: str, step: str) -> None:
    job = run(system, task_name, word=f"a job's {task_name}", step=step)
    settle(system)
    received = [each["kwargs"] for each in system.watcher.events("task-received") if each["name"] == task_name]

    assert (job.state, job.attempt) == ("succeeded", 3)
    # Three messages of the job, and none that Celery would have published.
    assert received == [str({"tenant": "tenant-a", "job": str(job.id)})] * 3
    assert steps(system, f"a job's {task_name}") == Counter(["attempt 3"])


def test_a_job_that_asks_too_often_has_failed(system: Edges) -> None:
    job = run(system, "edges.retry", word="too often", step="9 after 0")

    assert (job.state, job.attempt) == ("failed", 3)
    assert steps(system, "too often") == Counter()


def test_a_task_without_a_tenant_sees_no_table_and_starts_no_tenants_task(system: Edges, tmp_path: Path) -> None:
    kept = tmp_path / "tries.json"
    system.producer.send_task("bodies.without_tenant", kwargs={"word": "nobody's", "path": str(kept)}, queue="platform")
    wait_until(kept.exists, timeout_seconds=20)

    assert json.loads(kept.read_text()) == {
        "app.footprints": "ProgrammingError",
        "partywall.jobs": "ProgrammingError",
        "partywall.tenants": "ProgrammingError",
        "delay": "NoTenantError",
    }
    assert steps(system, "nobody's") == Counter()
