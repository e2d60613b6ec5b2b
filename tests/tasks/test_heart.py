"""A process that cannot extend its leases stops what it runs, whatever keeps it from extending them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from cli.stack.ports import any_free_port
from db.attempts import Attempt
from db.context import TenantContext
from db.engine import dispose_engines
from db.errors import LeaseLostError
from tasks.heart import Heart
from tests.waiting import wait_until

NOBODY = UUID("01990000-0000-7000-8000-000000000002")


@pytest.fixture(params=["nothing listens there", "there is no address"])
def away(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The worker's database cannot be reached: PostgreSQL's driver says so, or our own settings."""
    url = f"postgresql://partywall_worker@127.0.0.1:{any_free_port()}/partywall"
    if request.param == "there is no address":
        url = ""
    monkeypatch.setenv("PARTYWALL_WORKER_DATABASE_URL", url)
    dispose_engines()
    yield
    dispose_engines()


def attempt() -> Attempt:
    context = TenantContext.of(f"pw1.1.{NOBODY}.job/{NOBODY}/1.1.{'0' * 64}")
    return Attempt(uuid4(), 1, 3, {}, None, "acme", "Acme", datetime.now(UTC), context)


@pytest.mark.usefixtures("away")
def test_a_body_is_stopped_when_its_lease_could_not_be_extended() -> None:
    heart = Heart(lease_seconds=0.5)
    with heart.holding(attempt()) as stop:
        heart.start()
        wait_until(lambda: stop.reason is not None, timeout_seconds=10)
        heart.stop()

    assert stop.reason is LeaseLostError
