"""The faults an agent survives: the other side is away, and comes back."""

from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from db.wakeups import SessionLostError

BROKER_FAULTS = (BrokerError, RedisError, OSError)
"""What publishing raises when the broker cannot take a message."""

FAULTS = (DBAPIError, SessionLostError, *BROKER_FAULTS)
"""What ends a run of an agent without ending the agent."""
