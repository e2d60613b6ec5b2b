"""What goes before what at the broker. Redis keeps a list for each; RabbitMQ has one queue, and its order."""

from typing import Final

BEFORE_OTHERS: Final = 0
"""The first message of a tenant that comes back while others have theirs there: it has had less than they."""
IN_TURN: Final = 3
"""Every other message, calls too: who calls a thousand times is in nobody's way more than before."""

STEPS: Final = (BEFORE_OTHERS, IN_TURN)
"""As kombu takes them for Redis: what has the lowest number is fetched first."""
