"""What only the command line can find wrong."""

from db.errors import PartywallError


class BadInputError(PartywallError):
    """What was typed cannot be used."""
