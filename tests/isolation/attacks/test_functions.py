"""Attacks through functions: those the worker may call, told lies, and those it may not."""

import pytest

from tests.isolation.attacks.attack import Attack, attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import NO_POLICIES, NO_SIGNATURE, SUPERUSER, Weakness, altered

NOT_FORCED = Weakness(
    "row-level security is not forced on the owner",
    ("alter table app.notes no force row level security",),
    ("alter table app.notes force row level security",),
)

ANY_KEY = altered(
    "partywall_private.job_in_the_way(uuid, text, jsonb, text, text, text)",
    "jobs.tenant_id = job_in_the_way.tenant",
)
ANY_JOB = altered("partywall.cancel_job(uuid, text)", "jobs.tenant_id = tenant")
ANY_NONCE = altered(
    "partywall.end_attempts(uuid, uuid[], uuid, text, text)", "jobs.dispatch_nonce = end_attempts.nonce"
)


def any_secret(function: str) -> Weakness:
    """Return the weakness that whoever has a worker's login speaks for every process."""
    name = function.partition("(")[0].removeprefix("partywall.")
    return altered(function, f"workers.secret_sha256 = sha256({name}.secret)")


FORGED = "select set_config('partywall.token', replace('{a_token}', '{a}', '{b}'), true)"
"""A's token with B in it."""


def batch(*more: str) -> str:
    """Return a call of enqueue_many() with one job, which has these too: `"'unique_key', '{guess}'"`."""
    item = ", ".join(("'task_name', 'x', 'payload', '{}'::jsonb, 'queue', 'x', 'max_attempts', 1", *more))
    return f"select is_new from partywall.enqueue_many(jsonb_build_array(jsonb_build_object({item})))"


definer = attacks_on("SECURITY DEFINER functions", NOT_FORCED)
forbidden = attacks_on("functions of other roles", SUPERUSER)
allowed = attacks_on("functions of the worker", NO_SIGNATURE)


def called(name: str, call: str, *before: str, **changes: object) -> Attack:
    """Return the attack of calling what may not be called; it has won when there is no refusal."""
    return forbidden(name, *before, f"select 'called', count(*) from partywall.{call}", proof="called | ", **changes)


ATTACKS = (
    definer("of an adopter, as the owner", "select app.count_notes()"),
    definer(
        "of an adopter, after a forged context",
        "select set_config('partywall.token', '{b}', true)",
        "select app.count_notes()",
    ),
    definer(
        "of the platform, about somebody else's table",
        "select * from partywall.installed_schema()",
        "select app.count_notes()",
    ),
    definer("an invoker's", "select app.note_of('{b_note}')", opened_by=(NO_POLICIES,)),
    definer(
        "an invoker's with another search path",
        "set local search_path = app, partywall",
        "select note_of('{b_note}')",
        opened_by=(NO_POLICIES,),
    ),
    #
    forbidden(
        "dispatch", "select * from partywall.dispatch(array['default'], null, null, 100, 100, interval '-1 day')"
    ),
    forbidden("undo_dispatch", "select partywall.undo_dispatch(array['{b_nonce}'::uuid])"),
    forbidden(
        "expire_leases",
        "select partywall.expire_leases(100)",
        "select partywall.undo_dispatch(array['{b_nonce}'::uuid])",
    ),
    forbidden("fan_out", "select partywall.fan_out('x', now(), 'x', 'x', 1)"),
    forbidden("jobs_overview", "select * from partywall.jobs_overview(null, null, null, null, 100)"),
    forbidden("create_tenant", "select partywall.create_tenant('evil', 'evil')"),
    forbidden("suspend_tenant", "select partywall.suspend_tenant('{b_slug}')"),
    forbidden(
        "create_api_key", "select partywall.create_api_key('{b_slug}', 'aaaaaaaaaaaaaaaa', 'x', sha256('known'))"
    ),
    forbidden("revoke_api_key", "select partywall.revoke_api_key('{b_key_id}')"),
    forbidden("rotate_signing_key", "select partywall.rotate_signing_key()"),
    forbidden("retire_signing_key", "select partywall.rotate_signing_key()", "select partywall.retire_signing_key(2)"),
    forbidden("open_tenant", "select partywall.open_tenant('{b_slug}')", opened_by=(SUPERUSER,), proof="pw1.2."),
    forbidden("protect", "select partywall.protect('app.notes', array['partywall_api']::name[])"),
    forbidden("delete_tenant", "select partywall.delete_tenant('{b_slug}')"),
    called("resume_tenant", "resume_tenant('{b_slug}')"),
    forbidden("set_job_retention", "select partywall.set_job_retention('{b_slug}', 1)"),
    forbidden("set_flow", "select partywall.set_flow('{b_slug}', 'paused', 'x', 'x')"),
    forbidden("set_limits", """select partywall.set_limits('{b_slug}', '{"max_running": 1}', 'x')"""),
    forbidden("set_running_limit", "select partywall.set_running_limit('{b_slug}', 'task', 'b.task', 1, 'x')"),
    forbidden("set_tenant_tier", "select partywall.set_tenant_tier('{b_slug}', 'standard', 'x')"),
    forbidden("set_tier", """select partywall.set_tier('standard', '{"max_running": 1}', 'x')"""),
    called("tenant_limits", "tenant_limits('{b_slug}')"),
    called("own_limits", "own_limits()", FORGED, opened_by=(SUPERUSER, NO_SIGNATURE)),
    forbidden("tenants_top", "select * from partywall.tenants_top(100)"),
    called("waiting_on", "waiting_on('{b_dispatched_job}')", FORGED, opened_by=(SUPERUSER, NO_SIGNATURE)),
    called(
        "waiting_on_each",
        "waiting_on_each(array['{b_dispatched_job}']::uuid[])",
        FORGED,
        opened_by=(SUPERUSER, NO_SIGNATURE),
    ),
    forbidden(
        "retry_job", FORGED, "select partywall.retry_job('{b_finished_job}')", opened_by=(SUPERUSER, NO_SIGNATURE)
    ),
    forbidden("retry_jobs", "select partywall.retry_jobs('failed', null, null, null, null, 100)"),
    called("cancel_jobs_of_deleted", "cancel_jobs_of_deleted(100)"),
    called("expire_jobs", "expire_jobs(100)"),
    forbidden("resend_lost", "select * from partywall.resend_lost('default', null, 0, interval '-1 day', 100)"),
    called("served_queues", "served_queues()"),
    forbidden("workers_overview", "select * from partywall.workers_overview()"),
    forbidden("forget_lost_workers", "select partywall.forget_lost_workers(interval '-1 day')"),
    called("lead", "lead('{nobody}', '1 day')"),
    called("resign", "resign('{nobody}')"),
    forbidden("mint", "select partywall_private.mint('{b}', 'x', '1 hour')", proof="pw1.2."),
    #
    allowed(
        "enter, finish, fail",
        "select partywall.enter(replace('{a_token}', '{a}', '{b}'))",
        "select partywall.enter(replace(replace('{a_token}', '{a}', '{b}'), '{a_job}', '{b_running_job}'))",
        "select partywall.fail('[]', interval '1 second', 'failed')",
    ),
    allowed(
        "save_checkpoint and report_progress",
        "select partywall.enter(replace(replace('{a_token}', '{a}', '{b}'), '{a_job}', '{b_running_job}'))",
        "select partywall.save_checkpoint('[]'), partywall.report_progress(1, 1, 'x')",
    ),
    allowed(
        "hold_lease",
        "select partywall.enter(replace(replace('{a_token}', '{a}', '{b}'), '{a_job}', '{b_running_job}'))",
        "select partywall.hold_lease(), partywall.current_tenant_id()",
        "select partywall.finish('[]')",
    ),
    allowed(
        "enqueue",
        "select set_config('partywall.token', replace('{a_token}', '{a}', '{b}'), true)",
        "select partywall.enqueue('x', '{}', 'x', null, 1)",
    ),
    allowed(
        "enqueue with an idempotency key of B's",
        "select is_new from partywall.enqueue('x', '{}', 'x', null, 1, idempotency_key => '{guess}')",
        guess=("b_key", "nobody"),
        opened_by=(ANY_KEY,),
    ),
    allowed("enqueue_many", FORGED, batch()),
    allowed(
        "enqueue_many with an idempotency key of B's",
        batch("'idempotency_key', '{guess}'"),
        guess=("b_key", "nobody"),
        opened_by=(ANY_KEY,),
    ),
    allowed(
        "enqueue_many with a unique key of B's",
        batch("'unique_key', '{guess}'", "'if_live', 'return'"),
        guess=("b_unique_key", "nobody"),
        opened_by=(ANY_KEY,),
    ),
    allowed(
        "cancel_job",
        "select partywall.cancel_job('{b_running_job}', 'x')",
        FORGED,
        "select partywall.cancel_job('{b_running_job}', 'x')",
    ),
    allowed(
        "whether cancel_job finds a job",
        "select partywall.cancel_job('{guess}', 'x')",
        guess=("b_finished_job", "nobody"),
        opened_by=(ANY_JOB,),
    ),
    allowed(
        "end_attempts with the nonce of another message",
        "select * from partywall.end_attempts("
        "'{b}', array['{b_running_job}'::uuid], '{b_nonce}', '{b_worker}', 'killed')",
        opened_by=(ANY_NONCE,),
    ),
    allowed(
        "whether end_attempts finds a job",
        "select count(*) from partywall.end_attempts("
        "'{b}', array['{guess}'::uuid], '{nobody}', '{b_worker}', 'killed')",
        guess=("b_running_job", "nobody"),
        opened_by=(ANY_NONCE,),
    ),
    allowed(
        "heartbeat of B's job",
        "select * from partywall.heartbeat('{nobody}', array["
        "replace(replace('{a_token}', '{a}', '{b}'), '{a_job}', '{b_running_job}')], interval '10 years')",
    ),
    allowed(
        "heartbeat of the process that runs B's job",
        "select * from partywall.heartbeat('{b_process}', '{}', interval '1 second')",
        "select * from partywall.heartbeat('{b_process}', '{}', interval '1 second', 'guessed')",
        opened_by=(any_secret("partywall.heartbeat(uuid, text[], interval, bytea)"),),
    ),
    allowed(
        "register_worker as the process that runs B's job",
        "select partywall.register_worker('{b_process}', 'x', 1, 'x', array['x'], 1, null, null)",
        "select partywall.register_worker('{b_process}', 'x', 1, 'x', array['x'], 1, 'guessed', null)",
        opened_by=(any_secret("partywall.register_worker(uuid, text, integer, text, text[], integer, bytea, text[])"),),
    ),
    allowed(
        "forget_worker",
        "select partywall.forget_worker('{b_process}', null)",
        "select partywall.forget_worker('{b_process}', 'guessed')",
        opened_by=(any_secret("partywall.forget_worker(uuid, bytea)"),),
    ),
    allowed(
        "wait_for_disk",
        FORGED,
        "select partywall.wait_for_disk(), partywall.current_tenant_id()",
        "select body from app.notes",
    ),
    allowed(
        "prune_jobs",
        "select set_config('partywall.token', replace('{a_token}', '{a}', '{b}'), true)",
        "select partywall.prune_jobs(100)",
    ),
    allowed(
        "prune_jobs with a limit that is none",
        "select partywall.prune_jobs(null), partywall.prune_jobs(2147483647)",
        "select set_config('partywall.token', replace('{a_token}', '{a}', '{b}'), true)",
        "select partywall.prune_jobs(null)",
    ),
    allowed(
        "mint_calls and admit_call",
        "select set_config('partywall.token', replace('{a_token}', '{a}', '{b}'), true)",
        "select partywall.enqueue('x', '{}', 'x', null, 1)",
        "select partywall.admit_call(token, '{nobody}', 'x', true, '1 day')"
        " from unnest(partywall.mint_calls(array['{nobody}'::uuid], array['x'], '1 day')) as token",
    ),
    allowed(
        "admit_call with A's own token for B's message",
        "select partywall.admit_call('{a_token}', '{b_running_job}', 'b.task', true, '1 day')",
        "select partywall.admit_call(replace('{a_token}', '{a}', '{b}'), '{b_running_job}', 'b.task', true, '1 day')",
        "select partywall.enter(replace('{a_token}', '{a}', '{b}'))",
        "select body from app.notes",
    ),
    allowed(
        "a thousand jobs of A's own",
        "select partywall.enqueue('x', '{}', 'x', null, 1) from generate_series(1, 1000)",
        "select set_config('partywall.token', replace('{a_token}', '{a}', '{b}'), true)",
        "select partywall.enqueue('x', '{}', 'x', null, 1)",
    ),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
class TestFunctions(Family):
    """None of them does for A what it does for B."""
