"""The attacks as a whole: how many, and that no two have one name."""

from tests.isolation.attacks.catalogue import FAMILIES


def test_count() -> None:
    every = [attack for attacks in FAMILIES.values() for attack in attacks]
    print(len(every), {name: len(each) for name, each in FAMILIES.items()})
    dup = [(n, [a.name for a in each if [b.name for b in each].count(a.name) > 1]) for n, each in FAMILIES.items()]
    print(dup)
    print(sorted({a.route for a in every}), len({a.route for a in every}))
