"""Directories that PostgreSQL can be reached in, also where root runs the tests."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def _directory() -> Iterator[Path]:
    # Not below pytest's own: every pytest that starts closes that to other users again, also under a run that has
    # just let PostgreSQL's user through.
    with tempfile.TemporaryDirectory(prefix="partywall-", ignore_cleanup_errors=True) as directory:
        yield Path(directory).resolve()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory of the test's own."""
    yield from _directory()


@pytest.fixture(scope="module")
def module_path() -> Iterator[Path]:
    """A directory for what the tests of one file share."""
    yield from _directory()
