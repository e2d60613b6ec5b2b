"""Messages that nobody published as a tenant: each is refused before its body, loudly, and leaves nothing."""

import json
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery.result import AsyncResult

from db.errors import NoTenantError
from db.roles import Role
from db.session import tenant_session
from tasks import producing
from tests.databases import TestTenant
from tests.isolation.edges.conftest import Edges
from tests.isolation.edges.footprints import Footprint, footprints
from tests.isolation.edges.messages import Message, captured, forged, put
from tests.waiting import wait_until


def token_for(edges: Edges, tenant: TestTenant, subject: str, *, minutes: int = 5, sealed: bool = True) -> str:
    """Return a token that the database signed for something else."""
    minted = "partywall_private.mint(:tenant, :subject, make_interval(mins => :minutes))"
    query = f"select partywall_private.seal({minted})" if sealed else f"select {minted}"
    ((token,),) = edges.site.database.ask(query, tenant=tenant.id, subject=subject, minutes=minutes)
    return str(token)


def subject_of(edges: Edges, message: Message, task_name: str = "edges.step") -> str:
    query = "select partywall_private.call_subject(cast(:call as uuid), :task)"
    ((subject,),) = edges.site.database.ask(query, call=message.id, task=task_name)
    return str(subject)


def with_token(message: Message, token: object) -> Message:
    return message.with_headers(partywall_token=token)


def another_tenants_name(token: str, edges: Edges) -> str:
    mine, theirs = edges.tenants
    return token.replace(str(mine.id), str(theirs.id))


Forge = Callable[[Message, Edges], Message]

FORGERIES: dict[str, tuple[Forge, str]] = {
    "no token": (lambda m, e: with_token(m, None), "Reject"),
    "a number for a token": (lambda m, e: with_token(m, 42), "Reject"),
    "an empty token": (lambda m, e: with_token(m, ""), "TokenRejectedError"),
    "garbage": (lambda m, e: with_token(m, "garbage"), "TokenRejectedError"),
    "garbage of a token's shape": (
        lambda m, e: with_token(m, f"pw1.1.{uuid.uuid4()}.call/x/y.1.00"),
        "TokenRejectedError",
    ),
    "what PostgreSQL cannot hold": (
        lambda m, e: with_token(m, m.headers["partywall_token"] + "\x00"),
        "TokenRejectedError",
    ),
    "half a character": (
        lambda m, e: with_token(m, m.headers["partywall_token"] + "\ud800"),
        "TokenRejectedError",
    ),
    "another tenant's name in it": (
        lambda m, e: with_token(m, another_tenants_name(m.headers["partywall_token"], e)),
        "TokenRejectedError",
    ),
    "an expired one": (
        lambda m, e: with_token(m, token_for(e, e.tenants[1], subject_of(e, m), minutes=-1)),
        "TokenExpiredError",
    ),
    "one of an API key": (
        lambda m, e: with_token(m, token_for(e, e.tenants[1], "key/x", sealed=False)),
        "TokenRejectedError",
    ),
    "its own, unsealed": (
        lambda m, e: with_token(m, token_for(e, e.tenants[0], subject_of(e, m), sealed=False)),
        "TokenRejectedError",
    ),
    "one of an attempt": (
        lambda m, e: with_token(m, token_for(e, e.tenants[0], f"job/{m.id}/1")),
        "TokenRejectedError",
    ),
    "one of an operator": (lambda m, e: with_token(m, e.tenants[1].context.token), "TokenRejectedError"),
    "one of another call": (
        lambda m, e: with_token(m, captured(e, e.tenants[1], "edges.step", word="x").headers["partywall_token"]),
        "TokenRejectedError",
    ),
    "another id": (lambda m, e: m.with_headers(id=str(uuid.uuid4())), "TokenRejectedError"),
    "an id that is none": (lambda m, e: m.with_headers(id="me"), "CallIdError"),
    "another task": (lambda m, e: m.with_headers(task="edges.fail"), "TokenRejectedError"),
    "a job's arguments": (
        lambda m, e: m.with_arguments(tenant_id=str(e.tenants[1].id), job_ids=[str(uuid.uuid4())], nonce=m.id),
        "PayloadInvalidError",
    ),
    "no arguments": (lambda m, e: m.with_arguments(), "PayloadInvalidError"),
    "too many arguments": (lambda m, e: m.with_arguments({"word": "x"}, {"word": "y"}), "CallArgumentsError"),
}


def refusal_of(edges: Edges, call: str) -> str:
    """Return how the message ended; fail when it did not."""
    return wait_until(lambda: edges.ended(call), timeout_seconds=20, what=edges.site.worker.output()[-3000:]) or ""


def lines_about(edges: Edges, event: str) -> list[dict[str, Any]]:
    lines = [line for line in edges.site.worker.output().splitlines() if line.startswith("{")]
    return [each for each in map(json.loads, lines) if each["event"] == event]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_call_is_refused_before_its_body(system: Edges, forgery: str) -> None:
    forge, error = FORGERIES[forgery]
    word = f"forged {forgery}"
    message = forge(captured(system, system.tenants[0], "edges.step", word=word), system)
    put(system, message)

    result: AsyncResult[Any] = AsyncResult(message.id, app=system.producer)
    assert refusal_of(system, message.id) in ("task-failed", "task-rejected")
    assert (result.state, type(result.result).__name__) == ("FAILURE", error)
    assert footprints(system.site.database, word) == []
    if error == "Reject":
        # Without a token it would be a job's.
        line = lines_about(system, "message_refused")[-1]
        assert (line["task"], line["error"]) == ("edges.step", "MessageInvalidError")
        assert "MessageInvalidError" in str(result.result)
    else:
        refused = [each for each in lines_about(system, "call_refused") if each["call"] == message.id]
        assert [each["error"] for each in refused] == [error]


def test_what_a_message_says_of_tenants_is_not_believed(system: Edges) -> None:
    mine, theirs = system.tenants
    message = captured(system, mine, "edges.step", word="misnamed")
    named = message.with_headers(partywall_tenant=theirs.slug, tenant_id=str(theirs.id), tenant=theirs.slug)
    put(system, named.with_arguments(word="misnamed", tenant_id=str(theirs.id), tenant=theirs.slug))

    assert refusal_of(system, message.id) == "task-succeeded"
    assert [each.tenant_id for each in footprints(system.site.database, "misnamed")] == [mine.id]


def test_a_replayed_message_runs_in_its_publishers_tenant_again(system: Edges) -> None:
    mine, theirs = system.tenants
    message = captured(system, mine, "edges.step", word="replayed")
    for _ in range(2):
        put(system, message)
        system.site.run(theirs, "edges.step", {"word": "in between"})

    found = footprints(system.site.database, "replayed")
    assert [(each.tenant_id, str(each.call_id)) for each in found] == [(mine.id, message.id)] * 2


@pytest.mark.parametrize("with_its_token", [True, False])
def test_a_jobs_message_with_a_token_claims_no_job(system: Edges, with_its_token: bool) -> None:
    mine, theirs = system.tenants
    database = system.site.database
    with tenant_session(theirs.context, role=Role.API) as session:
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        job_id = producing.enqueue(session, "edges.step", {"word": "both"}, run_at=tomorrow)
    nonce = uuid.uuid4()
    dispatched = "update partywall.jobs set state = 'dispatched', dispatch_nonce = :nonce, dispatched_at = run_at"
    database.do(f"{dispatched} where id = :id", nonce=nonce, id=job_id)
    message = captured(system, mine, "edges.step", word="both")
    message = message if with_its_token else with_token(message, theirs.context.token)
    put(system, message.with_arguments(tenant_id=str(theirs.id), job_ids=[str(job_id)], nonce=str(nonce)))

    assert refusal_of(system, message.id) == "task-failed"
    assert database.ask("select state, attempt from partywall.jobs where id = :id", id=job_id) == [("dispatched", 0)]
    assert footprints(database, "both") == []


def step_signature(word: str) -> dict[str, Any]:
    return {
        "task": "edges.step", "args": [], "kwargs": {"word": word}, "options": {}, "subtask_type": None,
        "immutable": True, "chord_size": None,
    }  # fmt: skip


BY_PROXY: dict[str, Callable[[str], Message]] = {
    "map": lambda word: forged("celery.map", task=step_signature(word), it=[{"word": word}]),
    "starmap": lambda word: forged("celery.starmap", task=step_signature(word), it=[["no job", {"word": word}]]),
    "chunks": lambda word: forged("celery.chunks", task=step_signature(word), it=[[{"word": word}]], n=1),
    "group": lambda word: forged(
        "celery.group", [step_signature(word)], [["x", None], []], str(uuid.uuid4()), [], add_to_parent=False
    ),
    "chord": lambda word: forged("celery.chord", [step_signature(word)], step_signature(word)),
    "chord_unlock": lambda word: forged("celery.chord_unlock", str(uuid.uuid4()), step_signature(word), result=[]),
    "a plain task that calls it": lambda word: forged("edges.call", step_signature(word)),
}

LEADING_ASTRAY: dict[str, Callable[[str], Message]] = {
    "a callback": lambda word: forged("edges.pass_on", 1).leading_to(callbacks=[step_signature(word)]),
    "a chain": lambda word: forged("edges.pass_on", 1).leading_to(chain=[step_signature(word)]),
    "an errback": lambda word: forged("edges.fail_plainly", 1).leading_to(errbacks=[step_signature(word)]),
    "a chord": lambda word: (
        forged("edges.pass_on", 1)
        .with_headers(group=str(uuid.uuid4()))
        .leading_to(chord=step_signature(word) | {"chord_size": 1})
    ),
    "a callback of a job": lambda word: forged(
        "edges.step", tenant_id=str(uuid.uuid4()), job_ids=[str(uuid.uuid4())], nonce=str(uuid.uuid4())
    ).leading_to(callbacks=[step_signature(word)]),
    "a callback in the headers": lambda word: forged("edges.pass_on", 1).with_headers(callbacks=[step_signature(word)]),
}


@pytest.mark.parametrize("proxy", BY_PROXY)
def test_no_task_of_celerys_and_no_plain_one_starts_a_tenants_task_for_a_forger(system: Edges, proxy: str) -> None:
    word = f"by {proxy}"
    message = BY_PROXY[proxy](word)
    put(system, message)
    result: AsyncResult[Any] = AsyncResult(message.id, app=system.producer)

    # What unlocks chords catches the error and makes it the callback's.
    assert refusal_of(system, message.id) == ("task-succeeded" if proxy == "chord_unlock" else "task-failed")
    assert proxy == "chord_unlock" or type(result.result) is NoTenantError
    assert left_behind(system, word) == []


@pytest.mark.parametrize("follower", LEADING_ASTRAY)
def test_a_message_that_leads_to_a_tenants_task_without_a_token_is_refused_whole(system: Edges, follower: str) -> None:
    word = f"after {follower}"
    before = system.site.worker.output().count("without a token for it: edges.step")
    message = LEADING_ASTRAY[follower](word)
    put(system, message)
    wait_until(
        lambda: system.site.worker.output().count("without a token for it: edges.step") > before,
        timeout_seconds=20,
    )

    assert system.watcher.events("task-received", call=message.id) == []
    assert left_behind(system, word) == []


def left_behind(system: Edges, word: str) -> Sequence[Footprint]:
    """Return what the forger's word has left, once nothing waits any more that was published before."""
    system.site.run(system.tenants[0], "edges.step", {"word": "the next job"})
    return footprints(system.site.database, word)
