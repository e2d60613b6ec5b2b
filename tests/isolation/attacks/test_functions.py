"""Attacks through functions: those the worker may call, told lies, and those it may not."""

import pytest

from tests.isolation.attacks.attack import attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import NO_POLICIES, NO_SIGNATURE, SUPERUSER, Weakness

NOT_FORCED = Weakness(
    "row-level security is not forced on the owner",
    ("alter table app.notes no force row level security",),
    ("alter table app.notes force row level security",),
)

definer = attacks_on("SECURITY DEFINER functions", NOT_FORCED)
forbidden = attacks_on("functions of other roles", SUPERUSER)
allowed = attacks_on("functions of the worker", NO_SIGNATURE)

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
