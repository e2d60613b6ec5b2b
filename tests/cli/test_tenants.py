"""`partywall tenants`."""

import json

from tests.cli.conftest import Run
from tests.databases import Database, TestTenant


def test_a_created_tenant_is_listed(database: Database, partywall: Run) -> None:
    created = json.loads(partywall("tenants", "create", "acme", "--name", "Acme Ltd", "--json").stdout)
    listed = json.loads(partywall("tenants", "list", "--json").stdout)

    (tenant,) = listed["tenants"]
    assert created == {"id": tenant["id"], "slug": "acme", "name": "Acme Ltd", "status": "active", "tier": "standard"}
    assert tenant["name"] == "Acme Ltd"
    assert tenant["created_at"].endswith("Z")


def test_a_tenant_is_called_by_its_slug_where_no_name_is_given(database: Database, partywall: Run) -> None:
    assert json.loads(partywall("tenants", "create", "acme", "--json").stdout)["name"] == "acme"


def test_a_slug_that_is_taken_is_refused(acme: TestTenant, partywall: Run) -> None:
    result = partywall("tenants", "create", "acme")

    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.startswith('error: the slug "acme" is taken. ')


def test_a_slug_that_is_no_dns_label_is_bad_input(database: Database, partywall: Run) -> None:
    for slug in ("ACME", "a_b", "-a", "a" * 64):
        result = partywall("tenants", "create", "--", slug)

        assert result.exit_code == 2
        assert result.stderr.startswith("error: a slug is 1 to 63 of a-z, 0-9 and -")


def test_an_empty_name_is_bad_input(database: Database, partywall: Run) -> None:
    result = partywall("tenants", "create", "acme", "--name", "")

    assert (result.exit_code, result.stderr) == (2, "error: a name has 1 to 200 characters. Choose another.\n")


def test_suspending_shows_in_the_list_until_the_tenant_is_resumed(acme: TestTenant, partywall: Run) -> None:
    def status() -> str:
        (tenant,) = json.loads(partywall("tenants", "list", "--json").stdout)["tenants"]
        return str(tenant["status"])

    suspended = json.loads(partywall("tenants", "suspend", "acme", "--json").stdout)
    assert suspended == {"id": str(acme.id), "slug": "acme", "status": "suspended"}
    assert status() == "suspended"

    assert partywall("tenants", "resume", "acme").exit_code == 0
    assert status() == "active"


def test_how_long_jobs_are_kept_shows_in_the_list(acme: TestTenant, partywall: Run) -> None:
    def days() -> int:
        (tenant,) = json.loads(partywall("tenants", "list", "--json").stdout)["tenants"]
        return int(tenant["job_retention_days"])

    assert days() == 30
    kept = json.loads(partywall("tenants", "keep-jobs", "acme", "--days", "7", "--json").stdout)
    assert kept == {"id": str(acme.id), "slug": "acme", "job_retention_days": 7}
    assert days() == 7


def test_jobs_are_kept_for_a_day_to_ten_years(acme: TestTenant, partywall: Run) -> None:
    assert [partywall("tenants", "keep-jobs", "acme", "--days", days).exit_code for days in ("0", "3651")] == [2, 2]
    assert [partywall("tenants", "keep-jobs", "acme", "--days", days).exit_code for days in ("1", "3650")] == [0, 0]


def test_jobs_of_an_unknown_tenant_are_not_kept(database: Database, partywall: Run) -> None:
    assert partywall("tenants", "keep-jobs", "nobody", "--days", "7").exit_code == 3


def test_deleting_asks_for_a_yes(acme: TestTenant, partywall: Run) -> None:
    result = partywall("tenants", "delete", "acme")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: deleting acme cannot be undone. Say --yes")
    assert json.loads(partywall("tenants", "list", "--json").stdout)["tenants"][0]["status"] == "active"


def test_a_deleted_tenant_shows_in_the_list_and_there_is_no_way_back(acme: TestTenant, partywall: Run) -> None:
    deleted = json.loads(partywall("tenants", "delete", "acme", "--yes", "--json").stdout)
    again = partywall("tenants", "resume", "acme")

    assert deleted == {"id": str(acme.id), "slug": "acme", "status": "deleting"}
    assert json.loads(partywall("tenants", "list", "--json").stdout)["tenants"][0]["status"] == "deleting"
    assert again.exit_code == 3
    assert "There is no way back." in again.stderr


def test_deleting_says_what_becomes_of_jobs_and_rows(acme: TestTenant, partywall: Run) -> None:
    result = partywall("tenants", "delete", "acme", "--yes")

    assert result.exit_code == 0
    assert "Its waiting jobs are cancelled within seconds; its rows are still there." in result.output


def test_an_unknown_tenant_cannot_be_deleted(database: Database, partywall: Run) -> None:
    result = partywall("tenants", "delete", "nobody", "--yes")

    assert result.exit_code == 3
    assert "slug=nobody" in result.stderr


def test_an_unknown_tenant_cannot_be_suspended(database: Database, partywall: Run) -> None:
    result = partywall("tenants", "suspend", "nobody")

    assert result.exit_code == 3
    assert "slug=nobody" in result.stderr


def test_no_tenants_is_said_on_stderr_and_nothing_on_stdout(database: Database, partywall: Run) -> None:
    result = partywall("tenants", "list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "partywall tenants create" in result.stderr
