"""Partywall as it is deployed: an API, and three of each: dispatchers, reapers, workers."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import httpx
from sqlalchemy.exc import DBAPIError

from bench.chaos import tasks
from bench.chaos.brokers import AnyBroker
from bench.chaos.crew import Crew
from bench.chaos.database import Database
from bench.chaos.listener import NoAnswerError
from bench.chaos.plan import CONCURRENCY, TENANTS, WORKERS, Plan
from bench.chaos.producer import NotAcceptedError
from bench.chaos.verdict import EffectFact, JobFact
from bench.chaos.work import Request
from cli.stack.ports import any_free_port
from db.credentials import ApiKey, authenticate, create_api_key
from db.errors import PartywallError
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import create_tenant
from tasks import producing
from tasks.proof.processes import wait_until

READY_SECONDS = 60.0
ANSWER_SECONDS = 15.0

_STATE = """
    select state, count(*), sum(attempt), max(run_at) from partywall.jobs
    where state not in ('succeeded', 'failed', 'cancelled', 'expired')
    group by state
"""
_SHARED = """
    select coalesce(sum(jobs), 0)::integer as jobs
    from (
        select count(*) as jobs from partywall.attempts group by tenant_id, started_at, worker_id having count(*) > 1
    ) as messages
"""


class Partywall:
    """Jobs come over HTTP, some by SQL; what became of them is read as the superuser."""

    def __init__(self, plan: Plan, database: Database, broker: AnyBroker) -> None:
        self._database = database
        self._keys: list[ApiKey] = []
        self._api_port = any_free_port()
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{self._api_port}", timeout=ANSWER_SECONDS, trust_env=False
        )

    def prepare(self) -> None:
        """Make tenants, each with a key."""
        with platform_connection(Role.OPERATOR) as connection:
            for number in range(TENANTS):
                create_tenant(connection, slug=f"tenant-{number}", name=f"Tenant {number}")
                self._keys.append(create_api_key(connection, slug=f"tenant-{number}", label="chaos"))

    def staff(self, crew: Crew, lines: Mapping[str, str]) -> None:
        """Add the agents, the API and the workers."""
        for number in range(1, WORKERS + 1):
            crew.add(f"dispatcher-{number}", "workers.dispatcher", PARTYWALL_BROKER_URL=lines["dispatcher"])
            crew.add(f"reaper-{number}", "workers.reaper", PARTYWALL_BROKER_URL=lines["dispatcher"])
            crew.add(
                f"worker-{number}", "celery", "-A", "workers", "worker", "-E", "--without-gossip", "--without-mingle",
                "--loglevel=INFO", "-Q", "default", f"--hostname=worker-{number}@chaos", f"--concurrency={CONCURRENCY}",
                PARTYWALL_BROKER_URL=lines["worker"], REMAP_SIGTERM="SIGQUIT",
            )  # fmt: skip
        crew.add("api", "api", PARTYWALL_API_PORT=str(self._api_port), PARTYWALL_BROKER_URL=lines["dispatcher"])

    def wait_until_ready(self, crew: Crew) -> None:
        """Return when every process serves."""
        for member in crew.members.values():
            assert member.process is not None  # noqa: S101 - the crew has just started it
            line = {"api": "api_listens", "worker": " ready."}.get(member.name.split("-")[0], "agent_started")
            member.process.wait_for_line(line, timeout_seconds=READY_SECONDS)
        wait_until(self._answers, timeout_seconds=READY_SECONDS, what="the API answers")

    def submit(self, request: Request) -> UUID:
        """Ask for a job, over HTTP or by SQL.

        Raises:
            NotAcceptedError: nobody knows whether there is one.
        """
        return self._post(request) if request.over_http else self.enqueue([request])[0]

    def succeeded(self, tenant: int) -> Mapping[UUID, int]:
        """Return what the API says of the tenant's latest jobs that have succeeded.

        Raises:
            NoAnswerError: it does not answer.
        """
        headers = {"Authorization": f"Bearer {self._keys[tenant].spell()}"}
        try:
            answer = self._http.get("/v1/jobs", params={"state": "succeeded", "limit": 100}, headers=headers)
        except httpx.HTTPError as error:
            raise NoAnswerError from error
        if answer.status_code >= 500:
            raise NoAnswerError(answer.text)
        return {UUID(job["id"]): job["attempt"] for job in answer.raise_for_status().json()["data"]}

    def state(self) -> Sequence[object]:
        """Return the jobs that are not over, by state."""
        return self._database.ask(_STATE)

    def jobs(self, accepted: Mapping[UUID, Request]) -> Mapping[UUID, JobFact]:
        """Return every job there is, also those whose producer got no answer."""
        rows = self._database.ask(
            "select id, tenant_id, task_name, state, attempt from partywall.jobs where task_name like 'chaos.%'"
        )
        return {row.id: JobFact(*row) for row in rows}

    def effects(self) -> Sequence[EffectFact]:
        """Return every effect there is."""
        rows = self._database.ask(
            "select tenant_id, job_id, attempt, part, foreign_rows from app.chaos_effects order by written_at"
        )
        return [EffectFact(*row) for row in rows]

    def refusals(self, crew: Crew) -> Mapping[str, float]:
        """Return how many attempts the workers say were superseded, and the database that were lost."""
        counts = {"zombie_commits_refused": float(crew.wrote("worker", "attempt_superseded"))}
        if self._database.ask("select to_regclass('partywall.attempts')")[0][0] is not None:
            for outcome, count in self._database.ask("select outcome, count(*) from partywall.attempts group by 1"):
                counts[f"attempts_{outcome}"] = count
            ((counts["jobs_that_shared_a_message"],),) = self._database.ask(_SHARED)
        return counts

    def _answers(self) -> bool:
        try:
            return self._http.get("/readyz").is_success
        except httpx.HTTPError:
            return False

    def _post(self, request: Request) -> UUID:
        asked = {"task": request.task, "payload": _payload(request)}
        headers = {"Authorization": f"Bearer {self._keys[request.tenant].spell()}"}
        try:
            answer = self._http.post("/v1/jobs", json=asked, headers=headers)
        except httpx.HTTPError as error:
            raise NotAcceptedError from error
        if answer.status_code >= 500:
            raise NotAcceptedError(answer.text)
        answer.raise_for_status()
        return UUID(answer.json()["id"])

    def enqueue(self, requests: Sequence[Request]) -> list[UUID]:
        """Ask for jobs of one tenant by SQL, in one transaction.

        Raises:
            NotAcceptedError: nobody knows whether they are there.
        """
        try:
            with platform_connection(Role.API) as connection:
                context = authenticate(connection, self._keys[requests[0].tenant]).context
            with tenant_session(context, role=Role.API) as session:
                return [producing.enqueue(session, each.task, _payload(each)) for each in requests]
        except (DBAPIError, PartywallError) as error:
            raise NotAcceptedError from error


def _payload(request: Request) -> dict[str, int]:
    return tasks.Work(number=request.number, milliseconds=request.milliseconds).model_dump()
