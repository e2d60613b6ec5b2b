"""The tests of a module share a database, emptied after each."""

from tests.db.conftest import database as database
from tests.db.conftest import kept_database as kept_database
