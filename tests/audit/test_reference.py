"""docs/reference/audit.md says of every check what the check says of itself."""

import re

from db.audit.catalogue import every_check
from tests.audit.conftest import Audited
from tests.audit.zoo.defect import OWNER
from tests.docs.pages import ROOT, blocks

PAGE = (ROOT / "docs/reference/audit.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| `(?P<id>[a-z-]+)` \| (?P<severity>\w+) \| (?P<title>.*?) \| (?P<why>.*?) \| (?P<by>[^|]*?)(?:: `.*`)? \|$"
)
BY = {"owner": "the owner, or `--fix`", "superuser": "a superuser", "hand": "you, after a look"}


def test_every_check_is_described_as_it_is() -> None:
    rows = [match.groupdict() for line in PAGE.splitlines() if (match := ROW.match(line))]
    described = [row for row in rows if row["severity"] in ("critical", "high", "medium", "low")]

    assert sorted(described, key=lambda row: row["id"]) == [
        {
            "id": check.id,
            "severity": check.severity.value,
            "title": check.title,
            "why": check.why,
            "by": BY[check.fixed_by],
        }
        for check in every_check()
    ]


def test_what_the_page_exempts_is_exempted(audited: Audited) -> None:
    (block,) = blocks(ROOT / "docs/reference/audit.md", "sql")

    report = audited(
        OWNER,
        """
            create table app.countries (code text primary key);
            revoke insert, update, delete on app.countries from partywall_worker;
            create table app.tickets (
                tenant_id uuid not null default partywall.current_tenant_id(), code text, primary key (tenant_id, code)
            );
            create unique index tickets_by_code on app.tickets (code);
            select partywall.protect('app.tickets');
            create function app.price_of(text) returns integer language sql
            security definer set search_path = app as 'select 1';
            grant execute on function app.price_of(text) to partywall_worker;
        """,
        block.code,
    )

    assert report.findings == []
    assert len(report.exemptions) == 4


def test_the_number_of_checks_in_the_changelog_is_right() -> None:
    (count,) = re.findall(r"`partywall audit`: (\d+) checks", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))

    assert int(count) == len([check for check in every_check() if check.query])
