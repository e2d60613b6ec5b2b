"""Celery's result backend where none is set: it keeps nothing, and says so where a chord would need it."""

from typing import NoReturn

from celery.backends.base import DisabledBackend

from tasks.errors import ResultBackendMissingError


class NoResults(DisabledBackend):
    """No backend. Celery asks it before anything of a chord is published."""

    def ensure_chords_allowed(self) -> NoReturn:
        """Refuse a chord.

        Raises:
            ResultBackendMissingError: always.
        """
        raise ResultBackendMissingError(
            setting="PARTYWALL_RESULT_BACKEND_URL",
            hint="Set it to a Redis, redis://:password@host:port/0, for every process that publishes or runs tasks.",
        )
