"""`python -m api`: serve HTTP until told to stop."""

import sys

import structlog
import uvicorn
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.settings import ApiSettings
from db import schema
from db.engine import dispose_engines
from db.errors import PartywallError
from db.roles import Role
from db.session import platform_connection
from tasks.logs import configure_logging

EX_CONFIG = 78
"""The exit code of `sysexits.h` for a configuration that has to be changed before a restart can help."""
GRACE_SECONDS = 20
"""How long open requests may take to end once the process is told to stop."""
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than clients and load balancers keep theirs, or one of them sends a
request into a connection that is being closed. httpx keeps them 5 seconds, as uvicorn does unless told otherwise."""

log = structlog.get_logger("api")


def main() -> None:
    """Check the database, then listen on `PARTYWALL_API_HOST` and `PARTYWALL_API_PORT`."""
    configure_logging("api")
    try:
        _require_current_schema()
        app = create_app()
        settings = ApiSettings.load()
    except (PartywallError, ImportError) as refusal:
        log.critical("refused_to_start", reason=str(refusal))
        sys.exit(EX_CONFIG)
    except ValidationError as refusal:
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in refusal.errors(include_input=False)]
        log.critical("refused_to_start", reason=f"A setting is not valid: {'; '.join(wrong)}.")
        sys.exit(EX_CONFIG)
    log.info("api_listens", host=settings.api_host, port=settings.api_port)
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,  # one format for all: uvicorn's own lines go through ours
        access_log=False,  # api/edge.py writes one, without query strings
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _require_current_schema() -> None:
    try:
        with platform_connection(Role.API) as connection:
            schema.require_current(connection)
    except OperationalError as error:
        # No reason to stay away: /readyz says 503 until it is back, and asks the same question then.
        log.warning("database_unreachable_at_start", reason=str(error.orig).partition("\n")[0])
    finally:
        dispose_engines()


if __name__ == "__main__":
    main()
