"""`audit()`: what in a database's catalog lets one tenant reach another, from the point of view of each login."""

from db.audit.auditing import AuditRoleUnknownError, AuditSchemaUnknownError, audit
from db.audit.finding import AuditReport, Exemption, Finding
from db.audit.severity import Severity

__all__ = [
    "AuditReport",
    "AuditRoleUnknownError",
    "AuditSchemaUnknownError",
    "Exemption",
    "Finding",
    "Severity",
    "audit",
]
