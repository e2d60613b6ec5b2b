"""The tests of a module share a database, emptied after each."""

from collections.abc import Iterator

import pytest

from tasks.event_loop import close_loop
from tests.db.conftest import database as database
from tests.db.conftest import kept_database as kept_database


@pytest.fixture(scope="module", autouse=True)
def _loop_of_the_module() -> Iterator[None]:
    """Its connections lead to the module's database."""
    yield
    close_loop()
