"""`python -m api`: serve HTTP until told to stop."""

import structlog
import uvicorn
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.settings import ApiSettings
from db.roles import Role
from tasks.logs import configure_logging
from tasks.startup import check, log_away, refusing

GRACE_SECONDS = 20
"""How long open requests may take to end once the process is told to stop."""
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than clients and load balancers keep theirs, or one of them sends a
request into a connection that is being closed. httpx keeps them 5 seconds, as uvicorn does unless told otherwise."""

log = structlog.get_logger("api")


def main() -> None:
    """Check the database, then listen on `PARTYWALL_API_HOST` and `PARTYWALL_API_PORT`."""
    configure_logging("api")
    with refusing():
        try:
            check(Role.API)
        except OperationalError as away:
            # It answers all the same, that it cannot serve: see api/gate.py.
            log_away(away, role=Role.API.value)
        app = create_app()
        settings = ApiSettings.load()
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


if __name__ == "__main__":
    main()
