"""What a worker's main process knows of a message at work in a child, and tells the database when the child cannot."""

from typing import Any

import structlog
from billiard.einfo import ExceptionInfo
from billiard.exceptions import WorkerLostError
from celery.worker.request import Request
from sqlalchemy.exc import DBAPIError

from db.attempts import Outcome, end_attempts
from db.errors import PartywallError
from db.roles import Role
from db.session import platform_connection
from tasks.errors import MessageInvalidError
from tasks.headers import token_of
from tasks.identity import name_of
from tasks.message import JobMessage

log = structlog.get_logger(__name__)


class TenantRequest(Request):
    """Ends the attempts of a child that is killed or about to be: their jobs need not wait for the lease."""

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """End them as timed out when the hard limit struck."""
        super().on_timeout(soft, timeout)
        if not soft:
            self._end_attempts(Outcome.TIMED_OUT)

    def on_failure(self, exc_info: ExceptionInfo, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """End them as killed when the child is gone."""
        # Billiard may wrap it, to carry its traceback from process to process.
        if isinstance(getattr(exc_info.exception, "exc", exc_info.exception), WorkerLostError):
            self._end_attempts(Outcome.KILLED)
        return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        """Hand them back: the worker was told to stop, and they did not end in time."""
        self._end_attempts(Outcome.HANDED_BACK)
        super().cancel(pool, signal, emit_retry=emit_retry)

    def _end_attempts(self, outcome: Outcome) -> None:
        # Typed as text by those who describe it; it is the number that the pool accepted the message with.
        pid: Any = self.worker_pid
        if pid is None or token_of(self.request_dict) is not None:
            return
        try:
            message = JobMessage.parse(tuple(self.args), self.kwargs)
        except MessageInvalidError:
            return
        try:
            with platform_connection(Role.WORKER) as connection:
                ended = end_attempts(
                    connection,
                    tenant_id=message.tenant_id,
                    job_ids=message.job_ids,
                    nonce=message.nonce,
                    worker=name_of(self.hostname, pid),
                    outcome=outcome,
                )
        except (DBAPIError, PartywallError) as away:
            # Their leases run out, and the reaper finds them.
            log.warning("attempts_not_ended", outcome=outcome.value, because=type(away).__name__)
            return
        for job_id, state in ended.items():
            log.warning("attempt_ended", outcome=outcome.value, job=str(job_id), state=state.value)


REQUEST = f"{TenantRequest.__module__}:{TenantRequest.__qualname__}"
"""As Celery takes it for a task's attribute."""
