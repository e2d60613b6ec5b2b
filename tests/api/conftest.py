"""A real server for the tests of the API: uvicorn on a free port, in a thread of this process."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn

from api.app import create_app
from tests.api import errands
from tests.databases import Database, TestTenant
from tests.waiting import wait_until

Ask = Callable[[TestTenant], httpx.Client]


@contextmanager
def serving() -> Iterator[str]:
    """Serve the app that the settings ask for; yield its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(), log_config=None, access_log=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="api")
    thread.start()
    try:
        wait_until(lambda: server.started, timeout_seconds=10, what="the server listens")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
    assert not thread.is_alive()


@pytest.fixture
def tasks_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API knows the tasks of errands.py."""
    monkeypatch.setenv("PARTYWALL_TASK_MODULES", errands.NAME)


@pytest.fixture
def url(database: Database, tasks_of_the_tests: None) -> Iterator[str]:
    """The address of an API on this test's database."""
    with serving() as address:
        yield address


@pytest.fixture
def nobody(url: str) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        yield client


@pytest.fixture
def as_tenant(url: str) -> Iterator[Ask]:
    """A function that returns a client with the key of a tenant."""
    with ExitStack() as stack:

        def client(tenant: TestTenant) -> httpx.Client:
            headers = {"Authorization": f"Bearer {tenant.key.spell()}"}
            return stack.enter_context(httpx.Client(base_url=url, headers=headers, trust_env=False))

        yield client


@pytest.fixture
def as_acme(as_tenant: Ask, acme: TestTenant) -> httpx.Client:
    """A client with acme's key."""
    return as_tenant(acme)


@pytest.fixture
def as_zeta(as_tenant: Ask, zeta: TestTenant) -> httpx.Client:
    """A client with zeta's key."""
    return as_tenant(zeta)
