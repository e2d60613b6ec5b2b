"""Fixtures of the database layer's tests."""

from collections.abc import Callable

import pytest

from db.engine import dispose_engines
from tests.databases import Database
from tests.db.notes import create_notes


@pytest.fixture
def notes(database: Database) -> None:
    """The tables `app.notes` and `app.comments`, behind the wall."""
    create_notes(database)


@pytest.fixture
def pool_of_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """One connection per role: whoever comes next gets what the last one left."""
    monkeypatch.setenv("PARTYWALL_POOL_SIZE", "1")
    dispose_engines()
    return dispose_engines
