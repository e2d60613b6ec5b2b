"""`/healthz` and `/readyz`: what a load balancer and a supervisor ask."""

import asyncio
import time
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError

from api.documentation import problems
from api.gate import Gate
from db import schema
from db.errors import SchemaNewerError, SchemaOlderError
from db.roles import Role
from db.session import async_platform_connection

router = APIRouter(tags=["health"])

_GOOD_FOR_SECONDS = 1.0


class Health(BaseModel):
    """Fine. What is not fine is a problem with status 503."""

    status: Literal["ok"] = "ok"


class Readiness:
    """Whether requests can be served, asked of the database at most once a second, however often we are asked."""

    def __init__(self) -> None:
        self._asking = asyncio.Lock()
        self._good_until = 0.0

    async def check(self) -> None:
        """Return when the database answers and is of this code's version; raise what is wrong otherwise."""
        async with self._asking:
            if time.monotonic() < self._good_until:
                return
            async with async_platform_connection(Role.API) as connection:
                await connection.run_sync(schema.require_current)
            self._good_until = time.monotonic() + _GOOD_FOR_SECONDS


@router.get("/healthz")
async def healthz() -> Health:
    """Is the process alive? Asks nobody else."""
    return Health()


@router.get("/readyz", responses=problems(OperationalError, SchemaOlderError, SchemaNewerError))
async def readyz(request: Request) -> Health:
    """Can requests be served? Asks the database.

    Not the broker: an accepted job is a committed row, and is handed over as soon as a broker is there.
    """
    gate: Gate = request.app.state.gate
    await gate.pass_through()
    readiness: Readiness = request.app.state.readiness
    await readiness.check()
    return Health()
