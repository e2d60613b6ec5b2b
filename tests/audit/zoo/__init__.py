"""Databases with one thing wrong, and their twins with nothing wrong. One family of checks a file."""

from tests.audit.zoo import (
    exemptions,
    functions,
    keys,
    platform,
    policies,
    rights,
    roles,
    sessions,
    tables,
    unnamed,
    views,
)
from tests.audit.zoo.defect import Defect

DEFECTS: list[Defect] = [
    *tables.DEFECTS,
    *policies.DEFECTS,
    *keys.DEFECTS,
    *views.DEFECTS,
    *functions.DEFECTS,
    *platform.DEFECTS,
    *unnamed.DEFECTS,
    *roles.DEFECTS,
    *rights.DEFECTS,
    *sessions.DEFECTS,
    *exemptions.DEFECTS,
]
