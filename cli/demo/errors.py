"""What ends a demo early."""

from cli.errors import BadInputError
from db.errors import PartywallError


class InputError(BadInputError):
    """The input cannot be used. The message is one line and says why."""


class ProducerError(PartywallError):
    """The producer could not do its part."""


class ChecksFailedError(PartywallError):
    """The demo ran, and something it checked is not as it must be."""
