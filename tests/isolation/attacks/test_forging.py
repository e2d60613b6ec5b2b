"""Attacks on the context itself: being B without B's token, or with one that is no good."""

import pytest

from tests.isolation.attacks.attack import attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import (
    BACKUP_MEMBER,
    NO_POLICIES,
    NO_SIGNATURE,
    PLAIN_SETTING,
    SUPERUSER,
    Weakness,
    granted,
)

READ = "select body from app.notes"
FORGED = "pw1.1.{b}.job/{b_running_job}/1.99999999999." + "0" * 64

setting = attacks_on("the setting", PLAIN_SETTING)
token = attacks_on("forged tokens", NO_SIGNATURE)
stale = attacks_on("expired and retired tokens", NO_SIGNATURE)
minting = attacks_on("minting", SUPERUSER)
attempt = attacks_on("another's attempt", NO_SIGNATURE)
role = attacks_on("another role", SUPERUSER)
preset = attacks_on("presets", SUPERUSER)
nothing = attacks_on("no context", NO_POLICIES)

API_MEMBER = Weakness(
    "the worker is a member of the API's role",
    ("grant partywall_api to partywall_worker",),
    ("revoke partywall_api from partywall_worker",),
)
OWNER_MEMBER = Weakness(
    "the worker is a member of the owner's role, and nothing is forced on owners",
    ("grant partywall_owner to partywall_worker", "alter table app.notes no force row level security"),
    ("revoke partywall_owner from partywall_worker", "alter table app.notes force row level security"),
)

ATTACKS = (
    setting("set_config for the transaction", "select set_config('partywall.token', '{b}', true)", READ),
    setting("set_config for the session", "select set_config('partywall.token', '{b}', false)", READ),
    setting("set local", "set local partywall.token = '{b}'", READ),
    setting("set session", "set session partywall.token to '{b}'", READ),
    setting(
        "in a common table expression",
        "with forged as materialized (select set_config('partywall.token', '{b}', true))"
        " select notes.body from forged cross join app.notes as notes",
    ),
    setting(
        "in the middle of the query", "select body, set_config('partywall.token', '{b}', true) from app.notes", READ
    ),
    setting(
        "in a sub-select before the policy asks",
        "select (select set_config('partywall.token', '{b}', true)), (select string_agg(body, ',') from app.notes)",
    ),
    setting(
        "between two tables of one query",
        "select * from app.comments as mine, lateral (select set_config('partywall.token', '{b}', true)) as s,"
        " lateral (select body from app.notes where mine.id is not null) as theirs",
    ),
    setting(
        "over a savepoint",
        "savepoint s",
        "select set_config('partywall.token', '{b}', true)",
        READ,
        "rollback to savepoint s",
        READ,
    ),
    setting(
        "by an update of pg_settings",
        "update pg_catalog.pg_settings set setting = '{b}' where name = 'partywall.token'",
        "select set_config('partywall.token', '{b}', true)",
        READ,
    ),
    setting("under another spelling", "set local \"PartyWall.Token\" = '{b}'", READ),
    setting(
        "read only",
        "select set_config('transaction_read_only', 'on', true), set_config('partywall.token', '{b}', true)",
        READ,
    ),
    #
    token("a made-up mac", f"select set_config('partywall.token', '{FORGED}', true)", READ),
    token("a made-up mac at the door", f"select partywall.enter('{FORGED}')", READ),
    token(
        "A's own with another tenant",
        "select set_config('partywall.token', replace('{a_token}', '{a}', '{b}'), true)",
        READ,
    ),
    token(
        "A's own with another tenant in the middle of a query",
        "select set_config('partywall.token', replace(current_setting('partywall.token'), '{a}', '{b}'), true)",
        READ,
    ),
    token("no mac", "select partywall.enter('pw1.2.{b}.job/x/1.99999999999.')", READ),
    token("a null mac", "select partywall.enter('pw1.2.{b}.job/x/1.99999999999')", READ),
    token("another algorithm", "select partywall.enter('none.2.{b}.job/x/1.99999999999." + "0" * 64 + "')", READ),
    token(
        "a key that does not exist", "select partywall.enter('pw1.77.{b}.job/x/1.99999999999." + "0" * 64 + "')", READ
    ),
    token(
        "a key by an expression",
        "select partywall.enter('pw1.2 or true.{b}.job/x/1.99999999999." + "0" * 64 + "')",
        f"select set_config('partywall.token', '{FORGED}', true)",
        READ,
    ),
    token(
        "a second tenant behind the first",
        "select set_config('partywall.token', '{a_token}.{b}', true)",
        READ,
        f"select set_config('partywall.token', '{FORGED}', true)",
        READ,
    ),
    token(
        "the mac of A's token over B's text",
        "select partywall.enter(replace(left('{a_token}', -65), '{a}', '{b}') || right('{a_token}', 65))",
        READ,
    ),
    token(
        "a thousand guesses in one query",
        "select count(*) from generate_series(1, 1000) as guess"
        f" where set_config('partywall.token', left('{FORGED}', -4) || lpad(to_hex(guess), 4, '0'), true) = 'x'",
        READ,
    ),
    #
    stale("a token of B's that has expired", "select partywall.enter('{b_expired_token}')", READ),
    stale(
        "an expired one put into the setting", "select set_config('partywall.token', '{b_expired_token}', true)", READ
    ),
    stale("a token of a retired key", "select set_config('partywall.token', '{b_retired_token}', true)", READ),
    stale("a token of another database", "select set_config('partywall.token', '{b_foreign_token}', true)", READ),
    stale(
        "an expired one with a later moment",
        "select partywall.enter(regexp_replace('{b_expired_token}', '[0-9]+(?=[.][0-9a-f]{64}$)', '99999999999'))",
        READ,
    ),
    #
    minting(
        "minting for B", "select partywall.enter(partywall_private.mint('{b}', 'job/x/1', interval '1 hour'))", READ
    ),
    minting("an operator's way in", "select partywall.enter(partywall.open_tenant('{b_slug}'))", READ),
    minting(
        "an API key's way in",
        "select * from partywall.authenticate('{b_key_id}', sha256('guess'))",
        "select partywall_private.mint(tenant_id, 'key/x', '1 hour') from partywall_private.api_keys",
    ),
    minting("reading what a key is made of", "select inner_pad, outer_pad from partywall_private.signing_keys"),
    minting("a way round the schema", "select partywall_private.verify(partywall_private.mint('{b}', 'x', '1 hour'))"),
    minting(
        "a call's token for B",
        "select partywall.mint_calls(array[gen_random_uuid()], array['x'], interval '1 day')"
        " from set_config('partywall.token', '{b_expired_token}', true)",
        opened_by=(NO_SIGNATURE,),
        proof="['pw1.2.",
    ),
    #
    attempt("finishing B's job", f"select partywall.enter('{FORGED}')", "select partywall.finish('[]')"),
    attempt("failing B's job", f"select partywall.enter('{FORGED}')", "select partywall.fail('[]', null, 'failed')"),
    attempt("B's progress", f"select partywall.enter('{FORGED}')", "select partywall.report_progress(9, 9, 'x')"),
    attempt("B's checkpoint", f"select partywall.enter('{FORGED}')", "select partywall.save_checkpoint('[]')"),
    attempt(
        "a lock on B's job",
        f"select partywall.enter('{FORGED}')",
        "select partywall.hold_lease()",
        "select partywall.finish('[]')",
    ),
    attempt("a job for B", f"select partywall.enter('{FORGED}')", "select partywall.enqueue('x', '{}', 'x', null, 1)"),
    attempt("B's finished jobs pruned", f"select partywall.enter('{FORGED}')", "select partywall.prune_jobs(10)"),
    attempt(
        "claiming B's job with a guess",
        "select * from partywall.claim('{b}', array['{b_dispatched_job}'::uuid], '{nobody}', 'b.task', 'x', null,"
        " '1 h', '1 h')",
        "select * from partywall.claim('{b}', array['{b_dispatched_job}'::uuid],"
        " (select dispatch_nonce from partywall.jobs where id = '{b_dispatched_job}'), 'b.task', 'x', null,"
        " '1 h', '1 h')",
        opened_by=(NO_POLICIES, granted("select (dispatch_nonce) on partywall.jobs")),
    ),
    attempt(
        "claiming B's job without a nonce",
        "select * from partywall.claim('{b}', array['{b_dispatched_job}'::uuid], null, 'b.task', 'x', null,"
        " '1 h', '1 h')",
        "select * from partywall.claim('{b}', array['{b_running_job}'::uuid], null, 'b.task', 'x', null, '1 h', '1 h')",
        "update partywall.jobs set worker = 'x' where id = '{b_running_job}'",
        opened_by=(NO_POLICIES, granted("update (worker) on partywall.jobs")),
    ),
    #
    role("the owner", "set local role partywall_owner", READ, opened_by=(OWNER_MEMBER,)),
    role("the backup", "set local role partywall_backup", READ, opened_by=(BACKUP_MEMBER,)),
    role(
        "the backup for the session",
        "set role partywall_backup",
        READ,
        "table partywall.tenants",
        opened_by=(BACKUP_MEMBER,),
    ),
    role(
        "the backup by function",
        "select set_config('role', 'partywall_backup', true)",
        READ,
        opened_by=(BACKUP_MEMBER,),
    ),
    role(
        "the API",
        "set local role partywall_api",
        "select 'as', current_user",
        opened_by=(API_MEMBER,),
        proof="as | partywall_api",
    ),
    role(
        "the migrator",
        "set session authorization partywall_migrator",
        "set role partywall_owner",
        "select 'as', current_user",
        proof="as | partywall_owner",
    ),
    role("the superuser", "set role postgres", "set session authorization postgres", READ),
    role("a reset", "reset role", "reset session authorization", "set role none", READ, opened_by=(NO_POLICIES,)),
    role(
        "a member of the backup by itself",
        "grant partywall_backup to partywall_worker",
        "set role partywall_backup",
        READ,
    ),
    role(
        "more power for itself", "alter role partywall_worker bypassrls", "alter role partywall_worker superuser", READ
    ),
    role("a role of its own", "create role evil superuser", "set role evil", READ),
    #
    preset("a default for the role", "alter role partywall_worker set partywall.token = '{b}'"),
    preset(
        "a default for the role in the database",
        "alter role partywall_worker in database {database} set partywall.token = '{b}'",
    ),
    preset("a default for the database", "alter database {database} set partywall.token = '{b}'"),
    preset("a default for all", "alter role all set partywall.token = '{b}'"),
    preset(
        "the server's configuration",
        "commit",
        "alter system set work_mem = '4MB'",
        "alter system reset work_mem",
        "select 'changed', count(*) from pg_file_settings where error is null",
        proof="changed | ",
    ),
    preset(
        "a grant on the setting",
        "grant set on parameter partywall.token to partywall_worker",
        "grant set on parameter session_replication_role to partywall_worker",
        "select 'may set', has_parameter_privilege('session_replication_role', 'set')",
        proof="may set | True",
    ),
    #
    nothing("the setting emptied", "set local partywall.token = ''", READ),
    nothing("the setting reset", "reset partywall.token", READ),
    nothing("everything reset", "reset all", READ),
    nothing("everything discarded", "commit", "discard all", READ),
    nothing("a null at the door", "select partywall.enter(null)", READ),
    nothing("an empty text at the door", "select partywall.enter('')", READ),
    nothing("a new transaction", "commit and chain", READ),
    nothing("a rollback to before the context", "rollback and chain", READ),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
class TestForging(Family):
    """None of them makes A's transaction B's."""
