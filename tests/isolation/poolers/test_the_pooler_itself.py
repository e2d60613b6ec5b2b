"""What `deploy/pgbouncer.ini` lets through, and what `partywall check` and the start-up gate say of a laxer one."""

from collections.abc import Iterator

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from db.diagnosis import Verdict, diagnose
from db.errors import WallBrokenError
from db.gate import require_fit
from db.roles import Role
from db.settings import DatabaseSettings
from tests.databases import Database, TestTenant
from tests.isolation.attacks.poolers import narrow_pooler, verifiers
from tests.servers.pgbouncer import DEPLOYED, Pooler, programs

pytestmark = pytest.mark.pgbouncer

TENANTS_ROLES = [Role.WORKER, Role.API]


@pytest.fixture(params=programs())
def program(request: pytest.FixtureRequest) -> str:
    """Which PgBouncer."""
    name: str = request.param
    return name


@pytest.fixture
def pooler(postgres: EmbeddedPostgres, program: str) -> Iterator[Pooler]:
    """It, as deployed."""
    with narrow_pooler(postgres, program=program) as running:
        yield running


def refusal(url: str, **options: str) -> str:
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(url, **options)  # type: ignore[arg-type]
    return str(refused.value)


def test_nothing_is_preset_by_startup_options(pooler: Pooler, database: Database, acme: TestTenant) -> None:
    url = pooler.url(database.url(Role.WORKER))

    assert "unsupported startup parameter" in refusal(url, options=f"-c partywall.token={acme.context.token}")
    assert "unsupported startup parameter" in refusal(url, options="-c row_security=off")


def test_nothing_is_preset_by_the_environment(
    pooler: Pooler, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c row_security=off")

    assert "unsupported startup parameter" in refusal(pooler.url(database.url(Role.WORKER)))


def test_the_password_is_asked_for(pooler: Pooler, database: Database) -> None:
    url = pooler.url(database.url(Role.WORKER))

    assert "authentication failed" in refusal(url.replace(":tests-only@", ":guessed@")).lower()


@pytest.mark.parametrize("role", [role for role in Role if role not in TENANTS_ROLES])
def test_only_worker_and_api_come_this_way(role: Role, pooler: Pooler, database: Database) -> None:
    refusal(pooler.url(database.url(role)))


def test_a_superuser_does_not_come_this_way(pooler: Pooler, database: Database) -> None:
    refusal(pooler.url(database.admin_url))


def test_the_console_is_nobodys(pooler: Pooler, database: Database) -> None:
    url = pooler.url(database.url(Role.WORKER)).rpartition("/")[0] + "/pgbouncer"

    refusal(url)


def test_it_keeps_no_password(postgres: EmbeddedPostgres) -> None:
    kept = verifiers(postgres)

    assert kept.count("SCRAM-SHA-256$") == len(TENANTS_ROLES)
    assert "tests-only" not in kept


def test_neither_password_nor_token_is_in_its_log(pooler: Pooler, database: Database, acme: TestTenant) -> None:
    with psycopg.connect(pooler.url(database.url(Role.WORKER)), autocommit=True) as connection:
        connection.execute("begin")
        connection.execute("select partywall.enter(%s)", (acme.context.token,))
        with pytest.raises(psycopg.Error):
            connection.execute("select 1 / 0")
    refusal(pooler.url(database.url(Role.WORKER)).replace("tests-only", "guessed"))

    said = pooler.log.read_text()
    assert "partywall_worker" in said
    assert not any(secret in said for secret in (acme.context.token, "tests-only", "guessed"))


@pytest.mark.parametrize("role", TENANTS_ROLES)
def test_as_deployed_it_passes_check_and_gate(
    role: Role, pooler: Pooler, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PARTYWALL_{role.value.upper()}_DATABASE_URL", pooler.url(database.url(role)))

    assert {finding.verdict for finding in diagnose(role, DatabaseSettings.load())} == {Verdict.OK}
    require_fit(role)


@pytest.mark.parametrize("role", TENANTS_ROLES)
def test_one_that_does_not_reset_sessions_is_refused(
    role: Role, program: str, postgres: EmbeddedPostgres, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with narrow_pooler(postgres, program=program, server_reset_query_always=0) as lax:
        monkeypatch.setenv(f"PARTYWALL_{role.value.upper()}_DATABASE_URL", lax.url(database.url(role)))

        (finding,) = diagnose(role, DatabaseSettings.load())
        with pytest.raises(WallBrokenError, match="server_reset_query_always = 1"):
            require_fit(role)

    assert finding.verdict is Verdict.FAIL
    assert "server_reset_query_always = 1" in str(finding.fix)


def test_a_session_pool_is_let_be(
    program: str, postgres: EmbeddedPostgres, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It resets a session when its client leaves, and lends it to nobody before."""
    with narrow_pooler(
        postgres, program=program, server_reset_query_always=0, pool_mode="session", default_pool_size=3
    ) as sessions:
        monkeypatch.setenv("PARTYWALL_WORKER_DATABASE_URL", sessions.url(database.url(Role.WORKER)))

        require_fit(Role.WORKER)


def test_the_dispatcher_is_told_to_go_directly(
    program: str, postgres: EmbeddedPostgres, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = "".join(
        f'"{login}" "{verifier}"\n'
        for login, verifier in database.ask("select rolname, rolpassword from pg_authid where rolpassword is not null")
    )
    assert Role.DISPATCHER.login in everybody
    with narrow_pooler(postgres, program=program, userlist=everybody) as pooler:
        monkeypatch.setenv("PARTYWALL_DISPATCHER_DATABASE_URL", pooler.url(database.url(Role.DISPATCHER)))

        (finding,) = diagnose(Role.DISPATCHER, DatabaseSettings.load())

    assert finding.verdict is Verdict.FAIL
    assert "Let PARTYWALL_DISPATCHER_DATABASE_URL reach PostgreSQL itself" in str(finding.fix)


def test_the_deployed_file_says_how_to_be_encrypted() -> None:
    said = DEPLOYED.read_text()

    assert all(name in said for name in ("client_tls_sslmode", "server_tls_sslmode = verify-full"))
