"""The attacks as a whole: how many there are, and that each has a name of its own."""

from tests.isolation.attacks.catalogue import FAMILIES

NAMES = [(family, attack.name) for family, attacks in FAMILIES.items() for attack in attacks]


def test_there_are_hundreds_and_no_two_have_one_name() -> None:
    assert len(NAMES) >= 400
    assert len(set(NAMES)) == len(NAMES)
