"""`partywall tenants limit`."""

import getpass
import json
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.databases import Database, TestTenant

NONE = {"weight": None, "max_running": None, "rate": None, "burst": None, "max_queued": None}


def limits(partywall: Run, *options: object) -> dict[str, Any]:
    result = partywall("tenants", "limit", "acme", *options, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_who_says_nothing_is_shown_what_holds(acme: TestTenant, partywall: Run) -> None:
    assert limits(partywall) == {
        "id": str(acme.id),
        "slug": "acme",
        "tier": "standard",
        "flow": "open",
        "flow_reason": None,
        "flow_by": None,
        "flow_at": None,
        "effective": NONE | {"weight": 1},
        "own": NONE,
        "running_limits": [],
        "changes": {},
    }


def test_what_is_named_is_set_and_the_rest_stays(acme: TestTenant, partywall: Run) -> None:
    limits(partywall, "--weight", 2.5, "--max-queued", 1000)

    answer = limits(partywall, "--max-running", 20, "--rate", 0.5, "--burst", 9, "--task", "a=b=2", "--queue", "slow=1")

    assert answer["own"] == {"weight": 2.5, "max_running": 20, "rate": 0.5, "burst": 9, "max_queued": 1000}
    assert answer["running_limits"] == [
        {"kind": "queue", "name": "slow", "max_running": 1},
        {"kind": "task", "name": "a=b", "max_running": 2},
    ]
    who = {each["changed_by"] for each in answer["changes"].values()}
    assert who == {f"operator/{getpass.getuser()}"}
    assert len(answer["changes"]) == 7


def test_what_is_unset_goes_back_to_the_tiers(acme: TestTenant, partywall: Run) -> None:
    partywall("tiers", "set", "standard", "--max-running", 3)
    limits(partywall, "--max-running", 20, "--weight", 2, "--task", "a.b=2", "--queue", "slow=1")

    answer = limits(partywall, "--unset", "max-running", "--unset", "task:a.b")

    assert (answer["own"], answer["effective"]["max_running"]) == (NONE | {"weight": 2}, 3)
    assert [each["name"] for each in answer["running_limits"]] == ["slow"]


def test_a_person_sees_value_source_who_and_when(acme: TestTenant, partywall: Run) -> None:
    partywall("tenants", "pause", "acme", "--reason", "an outage")

    result = partywall("tenants", "limit", "acme", "--max-running", 20, "--task", "notes.read=2")

    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["flow:", "paused"] in lines
    assert ["because:", "an", "outage"] in lines
    assert ["weight", "1", "tier", "standard", "-", "-"] in lines
    (running,) = (line for line in lines if line[:2] == ["max", "running"])
    assert (running[2:4], running[-1]) == (["20", "acme"], f"operator/{getpass.getuser()}")
    assert any(line[:4] == ["task", "notes.read", "2", "acme"] for line in lines)


@pytest.mark.parametrize(
    "options",
    [
        ("--weight", 0),
        ("--weight", 1001),
        ("--weight", "nan"),
        ("--max-running", 0),
        ("--max-running", 1.5),
        ("--max-running", 2**31),
        ("--rate", 0),
        ("--rate", "inf"),
        ("--burst", 0),
        ("--max-queued", -1),
        ("--task", "notes.read"),
        ("--task", "=3"),
        ("--task", "notes.read=0"),
        ("--queue", "slow=x"),
        ("--queue", f"slow={2**31}"),
        ("--unset", "speed"),
        ("--unset", "task:"),
        ("--unset", "rate", "--rate", 5),
    ],
)
def test_what_is_no_limit_is_bad_input_and_changes_nothing(
    options: tuple[object, ...], acme: TestTenant, partywall: Run
) -> None:
    before = limits(partywall)

    result = partywall("tenants", "limit", "acme", *options)

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert limits(partywall) == before


def test_an_unknown_tenant_has_no_limits(database: Database, partywall: Run) -> None:
    for options in ((), ("--weight", 2)):
        result = partywall("tenants", "limit", "nobody", *options)

        assert (result.exit_code, result.stdout) == (3, "")
        assert "slug=nobody" in result.stderr
