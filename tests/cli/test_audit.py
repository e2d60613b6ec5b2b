"""What `partywall audit` judges when nobody says what."""

import json

from tests.cli.conftest import Run
from tests.databases import Database


def test_without_a_schema_the_platforms_own_tables_are_judged_too(partywall: Run, own_database: Database) -> None:
    own_database.do("alter table partywall.jobs disable row level security")
    result = partywall("audit", "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert report["schemas"] == ["app", "partywall"]
    assert "partywall.jobs" in {finding["object"] for finding in report["findings"]}
