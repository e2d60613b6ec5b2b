"""The API answers while its database is away, so it may be there before it could ask what it is to ask at its start."""

import asyncio
import os
import sys
import time

from sqlalchemy.exc import OperationalError

from db.errors import PartywallError
from db.roles import Role
from tasks.startup import EX_CONFIG, check, log_away, log_refusal

_AWAY_FOR_SECONDS = 1.0


class Gate:
    """Closed until the database was found fit. Asks at most once a second, however many requests wait."""

    def __init__(self) -> None:
        self._asking = asyncio.Lock()
        self._is_open = False
        self._away: OperationalError | None = None
        self._away_until = 0.0

    async def pass_through(self) -> None:
        """Return once the database was found fit; end the process, with 78, when it is not.

        Raises:
            OperationalError: the database is away.
        """
        if self._is_open:
            return
        async with self._asking:
            if self._away is not None and time.monotonic() < self._away_until:
                raise self._away
            try:
                await asyncio.to_thread(check, Role.API)
            except OperationalError as away:
                self._away, self._away_until = away, time.monotonic() + _AWAY_FOR_SECONDS
                raise
            except PartywallError as refusal:
                log_refusal(str(refusal))
                sys.stdout.flush()
                # Not sys.exit(): a server makes of that an answer to one request, or goes on without its lifespan.
                os._exit(EX_CONFIG)
            self._is_open = True

    async def try_to_open(self) -> None:
        """Ask now. A database that is away is asked with the first request that needs it."""
        try:
            await self.pass_through()
        except OperationalError as away:
            log_away(away, role=Role.API.value)
