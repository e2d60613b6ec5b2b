"""`partywall keys`."""

import json

import pytest

from db.credentials import ApiKey, authenticate
from db.errors import CredentialRejectedError
from db.roles import Role
from db.session import platform_connection
from tests.cli.conftest import Run
from tests.databases import Database, TestTenant


def test_the_printed_key_opens_its_tenant(acme: TestTenant, partywall: Run) -> None:
    result = partywall("keys", "create", "acme", "--label", "shop")

    key = ApiKey.parse(result.stdout.strip())
    with platform_connection(Role.API) as connection:
        assert authenticate(connection, key).tenant_slug == "acme"
    assert "not shown again" in result.stderr
    assert key.secret not in result.stderr


def test_json_names_key_id_and_tenant(acme: TestTenant, partywall: Run) -> None:
    made = json.loads(partywall("keys", "create", "acme", "--json").stdout)

    assert made.keys() == {"id", "key", "tenant"}
    assert made["tenant"] == "acme"
    assert ApiKey.parse(made["key"]).id == made["id"]


def test_a_key_for_an_unknown_tenant_is_refused(database: Database, partywall: Run) -> None:
    result = partywall("keys", "create", "nobody")

    assert (result.exit_code, result.stdout) == (3, "")
    assert 'no tenant has the slug "nobody"' in result.stderr


@pytest.mark.parametrize("is_whole", [False, True], ids=["id", "whole key"])
def test_a_revoked_key_is_refused(acme: TestTenant, partywall: Run, is_whole: bool) -> None:
    result = partywall("keys", "revoke", acme.key.spell() if is_whole else acme.key.id)

    assert result.exit_code == 0
    with pytest.raises(CredentialRejectedError), platform_connection(Role.API) as connection:
        authenticate(connection, acme.key)


def test_an_unknown_key_cannot_be_revoked(database: Database, partywall: Run) -> None:
    assert partywall("keys", "revoke", "0" * 16).exit_code == 3


def test_a_mistyped_key_is_not_repeated(acme: TestTenant, partywall: Run) -> None:
    result = partywall("keys", "revoke", acme.key.spell() + "x")

    assert result.exit_code == 2
    assert acme.key.secret not in result.output


def test_contexts_outlive_a_rotation_and_end_with_the_retirement(acme: TestTenant, partywall: Run) -> None:
    new_id = json.loads(partywall("keys", "rotate-signing", "--json").stdout)["id"]
    job_id = partywall("enqueue", "acme", "maintenance.prune_jobs").stdout.strip()

    assert partywall("keys", "retire-signing", new_id - 1).exit_code == 0
    assert partywall("jobs", "show", job_id).exit_code == 0


def test_the_newest_signing_key_cannot_be_retired(database: Database, partywall: Run) -> None:
    newest = json.loads(partywall("keys", "rotate-signing", "--json").stdout)["id"]
    result = partywall("keys", "retire-signing", newest)

    assert result.exit_code == 3
    assert result.stderr.startswith(f"error: signing key {newest} cannot be retired. ")
