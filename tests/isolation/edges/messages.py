"""Messages as they lie in the broker: taken out, changed, and put back by somebody who has no part in the system."""

import json
import uuid
from dataclasses import dataclass, field, replace
from typing import Any, Self

from kombu import Connection, Producer, Queue

from tasks.publisher import publishing_as
from tests.databases import TestTenant
from tests.isolation.edges.conftest import Edges

ASIDE = Queue("aside")
"""A queue that no worker serves."""


@dataclass(frozen=True)
class Message:
    """A task message of Celery's protocol 2."""

    body: str
    headers: dict[str, Any]
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The id of its task."""
        return str(self.headers["id"])

    def with_headers(self, **changed: Any) -> Self:
        """Return the message with other headers; None takes one away."""
        headers = {name: value for name, value in (self.headers | changed).items() if value is not None}
        return replace(self, headers=headers)

    def with_arguments(self, *args: Any, **kwargs: Any) -> Self:
        """Return the message with other arguments."""
        return replace(self, body=json.dumps([args, kwargs, {}]))

    def leading_to(self, **followers: Any) -> Self:
        """Return the message with callbacks, errbacks, chain or chord where Celery's own messages have them."""
        args, kwargs, held = json.loads(self.body)
        return replace(self, body=json.dumps([args, kwargs, held | followers]))


def forged(task_name: str, *args: Any, **kwargs: Any) -> Message:
    """Return a message as anybody may write it."""
    call = str(uuid.uuid4())
    headers = {"lang": "py", "task": task_name, "id": call, "root_id": call, "argsrepr": "()", "kwargsrepr": "{}"}
    return Message("", headers, {"correlation_id": call}).with_arguments(*args, **kwargs)


def captured(edges: Edges, tenant: TestTenant, task_name: str, **payload: Any) -> Message:
    """Return the message of a call that the tenant publishes, before any worker can see it."""
    with publishing_as(tenant.context, label=tenant.slug):
        edges.producer.send_task(task_name, kwargs=payload, queue=ASIDE)
    with Connection(edges.site.broker.url) as connection:
        message = ASIDE.bind(connection.default_channel).get(no_ack=True)
        assert message is not None
        raw: Any = message.body
        body = raw if isinstance(raw, str) else bytes(raw).decode()
        properties = {name: message.properties[name] for name in ("correlation_id", "reply_to")}
        return Message(body, dict(message.headers), properties)


def put(edges: Edges, message: Message, **changed: Any) -> None:
    """Put a message where the worker takes its own from."""
    options: dict[str, Any] = {"content_type": "application/json", "content_encoding": "utf-8", "delivery_mode": 2}
    options |= message.properties | changed
    with Connection(edges.site.broker.url) as connection:
        producer = Producer(connection.default_channel, auto_declare=False)
        # Bytes, which kombu sends as they are.
        producer.publish(message.body.encode(), exchange="", routing_key="default", headers=message.headers, **options)
