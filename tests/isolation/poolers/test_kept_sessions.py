"""Whether a pooler resets sessions is seen in every kind of pool, and where it cannot be seen nothing starts."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import psycopg
import pytest
from sqlalchemy import Connection, event

from cli.stack.postgres import EmbeddedPostgres
from db import kept_sessions
from db.bare_connection import bare_connection
from db.diagnosis import Verdict, diagnose
from db.errors import WallBrokenError
from db.gate import require_fit
from db.kept_sessions import Keeping, find_keeping
from db.roles import Role
from db.settings import DatabaseSettings
from tests.cli.pooler import pooler_before
from tests.databases import Database
from tests.isolation.attacks.poolers import narrow_pooler, verifiers
from tests.servers.pgbouncer import Pooler, pgbouncer, programs

pytestmark = pytest.mark.pgbouncer

WARM = 6


@pytest.fixture(params=programs())
def program(request: pytest.FixtureRequest) -> str:
    """Which PgBouncer."""
    name: str = request.param
    return name


def through(pooler: Pooler, database: Database) -> str:
    return pooler.url(database.url(Role.WORKER))


def keeping(url: str) -> Keeping:
    with bare_connection(url) as first:
        return find_keeping(first, partial(bare_connection, url))


def warm_up(url: str) -> None:
    """Have the pooler open as many sessions as it may; all are idle afterwards."""
    with ExitStack() as stack:
        for client in [stack.enter_context(psycopg.connect(url)) for _ in range(WARM)]:
            client.execute("select 1")


@pytest.mark.parametrize("reset_always", [0, 1])
@pytest.mark.parametrize("round_robin", [0, 1])
def test_a_warm_pool_is_seen_through(
    reset_always: int, round_robin: int, program: str, postgres: EmbeddedPostgres, database: Database
) -> None:
    with pgbouncer(
        postgres,
        verifiers(postgres),
        program=program,
        default_pool_size=WARM,
        server_reset_query_always=reset_always,
        server_round_robin=round_robin,
    ) as pooler:
        warm_up(through(pooler, database))

        assert keeping(through(pooler, database)) == ("cleaned" if reset_always else "kept")


def test_the_gate_refuses_a_warm_pool_that_rotates_and_keeps_sessions(
    program: str, postgres: EmbeddedPostgres, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pgbouncer(
        postgres,
        verifiers(postgres),
        program=program,
        default_pool_size=WARM,
        server_reset_query_always=0,
        server_round_robin=1,
    ) as lax:
        monkeypatch.setenv("PARTYWALL_WORKER_DATABASE_URL", through(lax, database))
        warm_up(through(lax, database))

        with pytest.raises(WallBrokenError, match="server_reset_query_always = 1"):
            require_fit(Role.WORKER)


@pytest.mark.parametrize(("reset", "found"), [("discard all", "cleaned"), ("", "kept")])
def test_a_pool_of_sessions_is_judged_by_what_a_client_leaves_when_it_goes(
    reset: str, found: Keeping, program: str, postgres: EmbeddedPostgres, database: Database
) -> None:
    with narrow_pooler(
        postgres,
        program=program,
        pool_mode="session",
        default_pool_size=2,
        server_reset_query=reset,
        server_reset_query_always=0,
    ) as sessions:
        assert keeping(through(sessions, database)) == found


def test_two_poolers_behind_one_address_are_not_taken_for_a_pool_of_sessions(
    program: str, postgres: EmbeddedPostgres, database: Database
) -> None:
    """As with `so_reuseport`: each client meets its own, where nobody else comes in between."""
    with (
        narrow_pooler(postgres, program=program, server_reset_query_always=0) as one,
        narrow_pooler(postgres, program=program, server_reset_query_always=0) as other,
        bare_connection(through(one, database)) as first,
    ):
        assert find_keeping(first, partial(bare_connection, through(other, database))) == "kept"


def test_a_neighbours_own_reset_is_not_taken_for_the_poolers(
    program: str, postgres: EmbeddedPostgres, database: Database
) -> None:
    with narrow_pooler(postgres, program=program, server_reset_query_always=0) as lax:
        url = through(lax, database)

        @contextmanager
        def after_a_neighbour() -> Iterator[Connection]:
            with psycopg.connect(url, autocommit=True) as neighbour, bare_connection(url) as second:
                event.listen(
                    second.engine, "before_cursor_execute", lambda *_: neighbour.execute("discard all"), once=True
                )
                yield second

        with bare_connection(url) as first:
            assert find_keeping(first, after_a_neighbour) == "kept"


def test_sessions_that_end_with_their_client_are_kept_for_nobody(database: Database) -> None:
    with pooler_before(database.url(Role.WORKER)) as forwarding:
        assert keeping(forwarding) == "cleaned"


@pytest.mark.parametrize("role", [Role.WORKER, Role.API])
def test_what_cannot_be_seen_is_refused_and_check_warns(
    role: Role, program: str, postgres: EmbeddedPostgres, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_sessions, "PATIENCE_SECONDS", 0.0)
    with narrow_pooler(postgres, program=program) as pooler:
        monkeypatch.setenv(f"PARTYWALL_{role.value.upper()}_DATABASE_URL", pooler.url(database.url(role)))

        ok, warning = diagnose(role, DatabaseSettings.load())
        with pytest.raises(WallBrokenError, match=r"could not be seen.*server_reset_query_always = 1"):
            require_fit(role)

    assert (ok.verdict, warning.verdict) == (Verdict.OK, Verdict.WARN)
    assert "could not be seen" in warning.words


def test_a_pooler_that_cleans_is_known_at_once(program: str, postgres: EmbeddedPostgres, database: Database) -> None:
    with narrow_pooler(postgres, program=program) as pooler:
        keeping(through(pooler, database))
        began = time.monotonic()
        keeping(through(pooler, database))

    assert time.monotonic() - began < kept_sessions.PATIENCE_SECONDS / 2
