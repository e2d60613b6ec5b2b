"""Playing the attacks, in transactions that are rolled back: a policy may read well and behave badly."""

from db.audit.probe.probing import Probed, ProbeReport, probe_database

__all__ = ["ProbeReport", "Probed", "probe_database"]
