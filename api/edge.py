"""The outermost layer: a request's id, its one log line, and an answer to what nobody foresaw."""

import re
import time
import traceback
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import answers
from tasks.redaction import redact

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PROBES = ("/healthz", "/readyz")

log = structlog.get_logger(__name__)


class Edge:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or pass on what is none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id):
            try:
                await self._app(scope, exchange.receive, exchange.send)
            except ClientDisconnect:
                exchange.status = 499  # nobody is told; the log says that nobody was there any more
            except Exception as error:  # noqa: BLE001 - the edge: what nobody foresaw is recorded and answered
                await _answer_unforeseen(error, exchange, scope)
            exchange.log_line()


class _Exchange:
    """One request and what became of it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        headers = Headers(scope=scope)
        self.request_id = _request_id(headers.get("x-request-id"))
        self._body_is_pending = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._started_at = time.perf_counter()
        self.status: int | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        if not message.get("more_body", False):
            self._body_is_pending = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
            if self._body_is_pending:
                # Refused before it was read: the rest is not wanted, and not read to find the next request.
                headers["Connection"] = "close"
        await self._send(message)

    def log_line(self) -> None:
        if self._scope["path"] in _PROBES and self.status == 200:
            return
        principal = self._scope["state"].get("principal")
        log.info(
            "request",
            method=self._scope["method"],
            path=self._scope["path"],
            status=self.status,
            duration_ms=round((time.perf_counter() - self._started_at) * 1000, 1),
            tenant=principal and principal.tenant_slug,
            key=principal and principal.key_id,
        )


async def _answer_unforeseen(error: Exception, exchange: _Exchange, scope: Scope) -> None:
    log.error(
        "request_failed",
        error=type(error).__name__,
        sqlstate=getattr(getattr(error, "orig", None), "sqlstate", None),
        where=_where(error),
    )
    if exchange.status is None:
        await answers.internal_error(exchange.request_id)(scope, exchange.receive, exchange.send)
    # Else the response is cut off halfway. The server sees that it was not completed and closes the connection.


def _where(error: Exception) -> list[str]:
    """Return our own frames and the last one, outermost first.

    Neither messages nor lines of code: a database error quotes the statement's parameters, and those are a tenant's.
    """
    frames = traceback.extract_tb(error.__traceback__)
    told = [frame for frame in frames[:-1] if "site-packages" not in frame.filename] + frames[-1:]
    return [f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in told]


def _request_id(sent: str | None) -> str:
    # A secret that somebody sent as an id by mistake must not be repeated in every log line.
    if sent is not None and _WELL_FORMED.fullmatch(sent) and redact(sent) == sent:
        return sent
    return uuid4().hex
