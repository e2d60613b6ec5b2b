"""`partywall tiers`, `partywall tenants tier` and `tenants create --tier`."""

import getpass
import json
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.databases import Database, TestTenant
from tests.db.limiting import limits_of


def tiers(partywall: Run) -> dict[str, Any]:
    listed = json.loads(partywall("tiers", "list", "--json").stdout)["tiers"]
    return {each["name"]: each for each in listed}


def test_a_tier_is_made_changed_and_listed(database: Database, partywall: Run) -> None:
    made = json.loads(partywall("tiers", "set", "free", "--max-running", 2, "--rate", 0.5, "--json").stdout)
    changed = json.loads(partywall("tiers", "set", "free", "--weight", 0.5, "--unset", "rate", "--json").stdout)

    assert (made["max_running"], made["rate"], made["weight"]) == (2, 0.5, 1)
    assert (changed["max_running"], changed["rate"], changed["weight"]) == (2, None, 0.5)
    assert changed["changed_by"] == f"operator/{getpass.getuser()}"
    assert tiers(partywall)["free"] == changed
    assert list(tiers(partywall)) == ["free", "standard"]
    shown = partywall("tiers", "list").stdout.splitlines()[1].split()
    assert shown[:6] == ["free", "0.5", "2", "none", "none", "none"]


def test_a_tenant_gets_a_tier(acme: TestTenant, partywall: Run) -> None:
    partywall("tiers", "set", "pro", "--max-running", 9)

    answer = json.loads(partywall("tenants", "tier", "acme", "pro", "--json").stdout)
    created = json.loads(partywall("tenants", "create", "new", "--tier", "pro", "--json").stdout)

    assert answer == {"id": str(acme.id), "slug": "acme", "tier": "pro"}
    assert limits_of(acme).effective.max_running == 9
    assert created["tier"] == "pro"
    listed = json.loads(partywall("tenants", "list", "--json").stdout)["tenants"]
    assert {tenant["slug"]: tenant["tier"] for tenant in listed} == {"acme": "pro", "new": "pro"}


def test_a_tier_there_is_none_of_is_bad_input(acme: TestTenant, partywall: Run) -> None:
    for command in (("tenants", "tier", "acme", "gold"), ("tenants", "create", "new", "--tier", "gold")):
        result = partywall(*command)

        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith('error: there is no tier "gold". partywall tiers list')


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("Free",), "no tier can be named"),
        (("free", "--weight", 0), "A weight is"),
        (("free", "--burst", 3), "needs a rate"),
        (("free", "--rate", -1), "A rate is"),
        (("free", "--unset", "task:a"), "names no limit"),
    ],
)
def test_what_is_no_tier_is_bad_input(
    command: tuple[object, ...], said: str, database: Database, partywall: Run
) -> None:
    result = partywall("tiers", "set", *command)

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert list(tiers(partywall)) == ["standard"]
