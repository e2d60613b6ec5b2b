"""Playing every attack on every table and view, one transaction each, and telling which were not refused."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from db import sql_files
from db.audit.asking import ask
from db.audit.exemptions import sift
from db.audit.finding import Exemption, Finding
from db.audit.probe import context, keys, reading, standins, views, writing
from db.audit.probe.rows import Rows, UnfillableError
from db.audit.probe.scene import Attack, InconclusiveError, Leak, Scene
from db.audit.probe.shape import Table, load_tables
from db.audit.probe.stage import Stage
from db.audit.probe.standins import Pair
from db.audit.probe_checks import NOT_POSSIBLE
from db.bare_connection import bare_connection
from db.errors import PartywallError
from db.roles import Role


class ProbeLoginError(PartywallError):
    """The probe cannot act as that login."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A table, view or function that was attacked."""

    object: str
    attacks: int


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What was attacked, in whose name, and what was not refused."""

    role: str
    probed: Sequence[Probed]
    findings: Sequence[Finding]
    exempted: Sequence[tuple[Finding, Exemption]]
    seconds: float


def probe_database(
    url: str,
    operator_url: str | None,
    *,
    login: str | None = None,
    schemas: Sequence[str] = ("app",),
    exemptions: Sequence[Exemption] = (),
) -> ProbeReport:
    """Play the attacks as the login of `url`, or as `login` where `url` is a superuser's.

    The tenants are the operator's, made and rolled back; a superuser makes them itself, inside each transaction.
    Nothing is committed but transactions that wrote nothing. Sequences that were drawn from stay ahead.

    Raises:
        ProbeLoginError: the DSN is not that login's, and not a superuser's.
    """
    started = time.perf_counter()
    with bare_connection(url) as connection:
        probing = _Probing.on(connection, operator_url, login=login, exemptions=exemptions)
        found = list(probing.run(schemas))
    left, exempted = sift(found, exemptions)
    return ProbeReport(
        role=probing.stage.login,
        probed=probing.probed,
        findings=sorted(left, key=lambda each: each.order),
        exempted=exempted,
        seconds=time.perf_counter() - started,
    )
