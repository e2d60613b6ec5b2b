"""A row with marks in every table, whatever the table asks of it."""

from collections.abc import Iterator

import pytest

from db.observer import Observer, observing
from db.seeding import MarkOf
from db.roles import Role
from tests.databases import Database, TestTenant
from tests.db.acting import as_owner
from tasks.proof.marks import PATTERN, MarkBook
