"""A project of an adopter's: its own package of tasks, its own folder of SQL, its own tests."""

PROJECT = {
    "pyproject.toml": """
[tool.pytest.ini_options]
pythonpath = ["."]
partywall_task_modules = ["shop.tasks"]
partywall_app_sql_folder = "sql"
filterwarnings = ["error"]
""",
    "sql/0100_notes.sql": """
create table app.notes (
    tenant_id  uuid not null default partywall.current_tenant_id(),
    id         uuid not null default partywall.uuid7(),
    body       text not null,
    primary key (tenant_id, id)
);
select partywall.protect('app.notes');
""",
    "shop/__init__.py": "",
    "shop/tasks.py": """
from pydantic import BaseModel
from sqlalchemy import text

from tasks import Job, task

_cache: dict[str, list[str]] = {}


class Note(BaseModel):
    body: str


class Search(BaseModel):
    words: str = ""


@task("notes.write")
def write_note(job: Job, note: Note) -> int:
    job.connection.execute(text("insert into app.notes (body) values (:body)"), {"body": note.body})
    return len(note.body)


@task("notes.search")
def search(job: Job, payload: Search) -> list[str]:
    if payload.words not in _cache:
        _cache[payload.words] = list(job.connection.execute(text("select body from app.notes")).scalars())
    return _cache[payload.words]


@task("notes.refuse")
def refuse(job: Job, payload: Search) -> None:
    raise ValueError("never on a Monday")
""",
}

TESTS = {
    "tests/conftest.py": 'pytest_plugins = ["tasks.testing"]\n',
    "tests/test_notes.py": """
from sqlalchemy import text

from db.roles import Role
from db.session import tenant_session
from shop.tasks import Note, Search, refuse, search, write_note
from tasks.testing import AssertIsolated, RunJob, Tenant


def bodies(tenant: Tenant) -> list[str]:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        return list(session.execute(text("select body from app.notes")).scalars())


def test_a_job_writes_for_its_tenant_alone(run_job: RunJob, tenant_a: Tenant, tenant_b: Tenant) -> None:
    job = run_job(tenant_a, write_note, Note(body="hello"))

    assert (job.state, job.result) == ("succeeded", 5)
    assert bodies(tenant_a) == ["hello"]
    assert bodies(tenant_b) == []


def test_a_job_that_fails_says_why(run_job: RunJob, tenant_a: Tenant) -> None:
    job = run_job(tenant_a, "notes.refuse")

    assert (job.state, job.error["message"]) == ("failed", "never on a Monday")


def test_the_tenants_of_each_test_are_new(tenant_a: Tenant) -> None:
    assert bodies(tenant_a) == []


def test_a_good_task_is_isolated(assert_isolated: AssertIsolated) -> None:
    report = assert_isolated(write_note)

    assert report.runs == 4


def test_a_good_task_is_isolated_with_a_payload(assert_isolated: AssertIsolated) -> None:
    assert_isolated(write_note, Note(body="hello"), {"body": "again"}, examples=1)


def test_a_leak_fails(assert_isolated: AssertIsolated) -> None:
    assert_isolated(search, Search(words="a"))


def test_a_failure_is_no_proof(assert_isolated: AssertIsolated) -> None:
    assert_isolated(refuse)
""",
}
