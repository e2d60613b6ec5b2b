"""What every family of attacks is put through."""

from tests.isolation.attacks.attack import Attack
from tests.isolation.attacks.doors import Door
from tests.isolation.attacks.field import Field
from tests.isolation.attacks.playing import play
from tests.isolation.attacks.weak_field import WeakField


class Family:
    """Each attack of a family, through every door; and once with a hole in the wall, where it has to win."""

    def test_it_wins_nothing(self, attack: Attack, door: Door, field: Field) -> None:
        assert play(field, attack, door) == []

    def test_it_wins_through_a_hole(self, attack: Attack, weak_field: WeakField) -> None:
        assert weak_field.play(attack) != []
