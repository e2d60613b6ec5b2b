"""Every check finds what was planted for it, and nothing in its clean twin."""

import pytest

from db.audit.catalogue import every_check
from db.audit.probe_checks import PROBE_CHECKS
from tests.audit.conftest import Audited
from tests.audit.zoo import DEFECTS
from tests.audit.zoo.defect import Defect
from tests.databases import Database


def name(defect: Defect) -> str:
    return defect.id


def test_the_zoo_has_an_animal_for_every_check() -> None:
    checks = {check.id for check in every_check()} - {check.id for check in PROBE_CHECKS}

    assert {defect.check for defect in DEFECTS} == checks
    assert len({defect.id for defect in DEFECTS}) == len(DEFECTS) >= 45


@pytest.mark.parametrize("defect", DEFECTS, ids=name)
def test_a_planted_defect_is_found_and_nothing_else(defect: Defect, audited: Audited, shop: Database) -> None:
    report = audited(defect.by, defect.plant)

    where = defect.object.replace("{database}", shop.name)
    also = {(check, about.replace("{database}", shop.name)) for check, about in defect.also}
    assert {(finding.check, finding.object) for finding in report.findings} == {(defect.check, where), *also}
    found = [finding for finding in report.findings if (finding.check, finding.object) == (defect.check, where)]
    assert [(finding.part, finding.role) for finding in found] == [(defect.part, defect.role)]


@pytest.mark.parametrize("defect", DEFECTS, ids=name)
def test_its_clean_twin_is_not_reported(defect: Defect, audited: Audited) -> None:
    report = audited(defect.by, defect.clean)

    assert [(finding.check, finding.object, finding.message) for finding in report.findings] == []
