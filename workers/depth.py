"""How much waits at the broker."""

from typing import Any

from kombu.exceptions import OperationalError

from tasks.application import TenantCelery

ANSWER_SECONDS = 2.0
"""How long the broker may take to say: nothing is dispatched meanwhile."""
NOT_FOUND = "404"


def messages_waiting(app: TenantCelery, queue: str) -> int:
    """Return how many messages of a queue no worker has fetched yet; 0 where there is no such queue.

    On a connection of its own: asked for a queue that is not there, RabbitMQ ends the channel.

    Raises:
        kombu.exceptions.OperationalError: the broker does not say.
    """
    is_amqp = str(app.conf.broker_url).startswith("amqp")
    options = dict.fromkeys(("read_timeout", "write_timeout") if is_amqp else ("socket_timeout",), ANSWER_SECONDS)
    connection: Any = app.connection_for_write(transport_options=options)
    try:
        with connection:
            answer = connection.channel().queue_declare(queue, passive=True)
    except connection.channel_errors + connection.connection_errors as error:
        # RabbitMQ's own error has the number, the one that kombu makes for Redis has it as text.
        if str(getattr(error, "reply_code", "")) == NOT_FOUND:
            return 0
        raise OperationalError(str(error)) from error
    return int(answer.message_count)
