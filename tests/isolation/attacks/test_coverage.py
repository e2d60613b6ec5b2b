"""The attacks as a whole: enough of them, each once, and none that docs/explanation/security-model.md does not name."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.db.test_functions import EXECUTE
from tests.isolation.attacks.catalogue import FAMILIES

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "security-model.md"
ROUTE = re.compile(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \| `(test_\w+)\.py` \|$", re.MULTILINE)


def test_there_are_hundreds_and_each_has_a_name_of_its_own() -> None:
    names = Counter((family, attack.name) for family, attacks in FAMILIES.items() for attack in attacks)

    assert names.total() >= 400
    assert [name for name, count in names.items() if count > 1] == []


def test_every_function_of_the_platform_is_attacked() -> None:
    """Those that a worker may execute, and those that it may not: who adds one adds an attack."""
    sent = "\n".join(each for attacks in FAMILIES.values() for attack in attacks for each in attack.sql)
    called = set(re.findall(r"\bpartywall\.(\w+)\(", sent))

    assert set(EXECUTE) - called == set()


def test_one_attack_of_each_family_is_played_by_every_run(request: pytest.FixtureRequest) -> None:
    collected = [item for item in request.session.items if item.name.startswith("test_it_wins_nothing[")]
    of_every_run = [item.parent for item in collected if item.get_closest_marker("matrix") is None]

    assert len(of_every_run) == len(set(of_every_run))
    assert set(of_every_run) == {item.parent for item in collected}


def test_the_security_model_names_every_route_and_where_it_is_played() -> None:
    played = {(attack.route, f"test_{family}") for family, attacks in FAMILIES.items() for attack in attacks}

    assert set(ROUTE.findall(PAGE.read_text())) == played
