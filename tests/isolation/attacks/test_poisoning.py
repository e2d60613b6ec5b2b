"""Attacks on whoever has the session next: what is left behind on it, to trip B, to be believed or to listen."""

from collections.abc import Iterator

import pytest

from cli.stack.postgres import EmbeddedPostgres
from tests.isolation.attacks.attack import Attack, attacks_on
from tests.isolation.attacks.doors import plain
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.field import Field
from tests.isolation.attacks.playing import play
from tests.isolation.attacks.poolers import narrow_pooler, through
from tests.isolation.attacks.weakness import CARELESS_POOL, granted
from tests.servers.pgbouncer import programs

TEMPORARY = granted("temporary on database {database}")
LOCKS = granted(
    "execute on function pg_advisory_lock(bigint)",
    "execute on function pg_advisory_lock_shared(integer, integer)",
    "execute on function pg_try_advisory_lock(bigint)",
)

setting = attacks_on("session settings", CARELESS_POOL)
tracked = attacks_on("session settings that a pooler keeps per client", CARELESS_POOL)
stash = attacks_on("a token stashed", CARELESS_POOL)
listener = attacks_on("listeners", CARELESS_POOL)
prepared = attacks_on("prepared statements", CARELESS_POOL)
cursor = attacks_on("cursors that hold", CARELESS_POOL)
lock = attacks_on("session locks", LOCKS, CARELESS_POOL)
temporary = attacks_on("temporary objects", TEMPORARY, CARELESS_POOL)
role = attacks_on("a role left behind", granted("partywall_backup"), CARELESS_POOL)

EXFILTRATE = "select pg_notify('gossip', string_agg(body, ',')) from (select body from app.notes limit 3) as some"

ATTACKS = (
    setting("row security off", "set row_security = off"),
    setting("a time limit of a millisecond", "set statement_timeout = '1ms'"),
    setting("a lock that never waits", "set lock_timeout = '1ms'"),
    setting("an idle session that ends", "set idle_in_transaction_session_timeout = '9s'"),
    tracked("strings that escape", "set standard_conforming_strings = off"),
    setting("quotes that a backslash escapes", "set backslash_quote = on"),
    setting("a search path", "set search_path = partywall, public"),
    setting("read only", "set default_transaction_read_only = on"),
    setting("read only for the session", "set session characteristics as transaction read only"),
    setting("another isolation level", "set default_transaction_isolation = serializable"),
    tracked("a time zone", "set timezone = 'Asia/Tokyo'"),
    tracked("another order of day and month", "set datestyle = 'SQL, DMY'"),
    tracked("another interval style", "set intervalstyle = sql_standard"),
    tracked("another encoding", "set client_encoding = 'LATIN1'"),
    setting("bytes that look different", "set bytea_output = escape"),
    setting("numbers with fewer digits", "set extra_float_digits = -15"),
    setting("another text search", "set default_text_search_config = 'pg_catalog.simple'"),
    setting("bound values in the log of an error", "set log_parameter_max_length_on_error = -1"),
    setting("plans in the log", "set debug_print_plan = on", "set client_min_messages = debug1"),
    setting(
        "plans made worse",
        "set plan_cache_mode = force_generic_plan",
        "set enable_indexscan = off",
        "set jit_above_cost = 0",
    ),
    setting("no memory to work with", "set work_mem = '64kB'", "set max_parallel_workers_per_gather = 64"),
    setting("by function", "select set_config('row_security', 'off', false)"),
    setting("of its own name", "set app.tenant = '{b}'", "set partywall.left_behind = 'yes'"),
    setting("among errors", "set row_security = off", "commit", "select 1 / 0"),
    #
    stash(
        "for the session", "select set_config('partywall.token', current_setting('partywall.token'), false)", "commit"
    ),
    stash("under another name", "select set_config('app.stash', '{a_token}', false)", "commit"),
    stash("in a prepared statement", "prepare stash as select '{a_token}'", "commit"),
    #
    listener("what B says", "listen gossip", "listen partywall_jobs", "commit"),
    listener("a word for B", "listen gossip", "notify gossip, 'from A'", "commit"),
    #
    prepared("a statement", "prepare left_behind as select 1", "commit"),
    prepared(
        "under the names that psycopg gives",
        *(f"prepare _pg3_{n} as {EXFILTRATE}" for n in range(3)),
        "commit",
        "listen gossip",
    ),
    prepared(
        "under the names that PgBouncer gives",
        *(f'prepare "PGBOUNCER_{n}" (smallint) as {EXFILTRATE}' for n in range(3)),
        "commit",
        "listen gossip",
    ),
    prepared(
        "over whatever was prepared",
        "deallocate all",
        "prepare s1 as select 1",
        f"prepare s2 as {EXFILTRATE}",
        "commit",
    ),
    #
    cursor("with A's rows, to be taken for B's", "declare c cursor with hold for select 'planted' as body", "commit"),
    cursor("many", *(f"declare c{n} scroll cursor with hold for select 1" for n in range(5)), "commit"),
    #
    lock("one that B needs", "select pg_advisory_lock(42)"),
    lock("shared", "select pg_advisory_lock_shared(42, 1)"),
    lock("twice", "select pg_advisory_lock(43), pg_advisory_lock(43), pg_try_advisory_lock(44)", "commit"),
    #
    temporary("a table in the way of B's", "create temporary table notes (like app.notes)", "commit"),
    temporary("a view in the way of B's", "create temporary view orders as select 1 as id", "commit"),
    temporary(
        "a function in the way",
        "create function pg_temp.uuid7() returns uuid language sql as 'select gen_random_uuid()'",
        "commit",
    ),
    temporary("a sequence", "create temporary sequence numbers", "select nextval('numbers')", "commit"),
    temporary("a table by a query", "select * into temporary notes from app.notes", "commit"),
    temporary("a type", "create type pg_temp.body as (body text)", "commit"),
    #
    role("the backup's", "set role partywall_backup", "commit"),
    role("the backup's, by function", "select set_config('role', 'partywall_backup', false)", "commit"),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
class TestPoisoning(Family):
    """Whoever has the session next finds nothing, and nobody learns what they do there."""


LEFT_TO_THE_POOLER = [
    attack for attack in ATTACKS if attack.opened_by == (CARELESS_POOL,) and "pooler keeps" not in attack.route
]


@pytest.fixture(scope="module", params=programs())
def careless_pooler(request: pytest.FixtureRequest, field: Field, postgres: EmbeddedPostgres) -> Iterator[None]:
    """PgBouncer as deployed, without the line that resets a connection after every transaction."""
    with (
        narrow_pooler(postgres, program=request.param, server_reset_query_always=0) as running,
        through(running, field),
    ):
        yield


@pytest.mark.pgbouncer
@pytest.mark.parametrize("attack", LEFT_TO_THE_POOLER, ids=str)
def test_it_wins_through_a_pooler_that_does_not_reset(attack: Attack, field: Field, careless_pooler: None) -> None:
    assert play(field, attack, plain) != []
