"""The fields that attacks are played in, and the doors into them."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

pytest.register_assert_rewrite("tests.isolation.attacks.families")  # before anything imports it

from cli.stack.postgres import EmbeddedPostgres  # noqa: E402
from tests.databases import Database, drop  # noqa: E402
from tests.isolation.attacks.doors import DIRECT, Door, plain_and_after_commit  # noqa: E402
from tests.isolation.attacks.families import Family  # noqa: E402
from tests.isolation.attacks.field import Field, Planted, open_field, plant  # noqa: E402
from tests.isolation.attacks.poolers import narrow_pooler, through  # noqa: E402
from tests.isolation.attacks.weak_field import WeakField  # noqa: E402
from tests.servers.pgbouncer import programs  # noqa: E402

POOLED = [pytest.param(program, marks=pytest.mark.pgbouncer, id=f"pgbouncer_{program}") for program in programs()]


@pytest.hookimpl(tryfirst=True)  # before what -m leaves out is chosen
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all but the first attack of each family, through the first door, as the matrix."""
    seen: set[object] = set()
    for item in items:
        if isinstance(item, pytest.Function) and item.cls is not None and issubclass(item.cls, Family):
            played = (item.cls, item.originalname)
            if played in seen:
                item.add_marker(pytest.mark.matrix)
            seen.add(played)


@pytest.fixture(scope="session")
def planted(postgres: EmbeddedPostgres) -> Iterator[Planted]:
    """The database that every field is a copy of."""
    made = plant(postgres)
    yield made
    drop(Database(postgres, made.name))


@pytest.fixture(scope="module")
def field(planted: Planted) -> Iterator[Field]:
    """The two tenants, with the whole wall between them."""
    with open_field(planted) as made:
        yield made


@pytest.fixture(scope="module", params=[*DIRECT, *POOLED])
def door(request: pytest.FixtureRequest, field: Field, postgres: EmbeddedPostgres) -> Iterator[Door]:
    """The way on which the hostile SQL comes."""
    if request.param in DIRECT:
        yield DIRECT[request.param]
        return
    with ExitStack() as stack:
        pooler = stack.enter_context(narrow_pooler(postgres, program=request.param))
        stack.enter_context(through(pooler, field))
        yield plain_and_after_commit


@pytest.fixture(scope="module")
def weak_field(planted: Planted) -> Iterator[WeakField]:
    """The two tenants, with a wall to take holes into."""
    with WeakField(planted) as made:
        yield made
