"""What only the command line can find wrong."""

from db.errors import PartywallError


class BadInputError(PartywallError):
    """What was typed cannot be used."""


class RefusedError(PartywallError):
    """Well-formed, but not here or not now."""
