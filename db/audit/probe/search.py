"""Looking for values that a table takes: try, read what PostgreSQL has against it, change that."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from db.audit.probe.candidates import named_values, usual_values
from db.audit.probe.shape import Column, Table
from db.audit.probe.stage import Answer

Values = dict[str, str]
"""Column and value, as text that is cast to the column's type."""

REROLLS = 50
"""How often all random values are drawn again: for a hash partition, or a value that is taken."""


@dataclass(slots=True)
class Search:
    """What to try next, given what is fixed."""

    table: Table
    given: Values
    fits: Callable[[Column, str], bool]
    """Whether the column's type takes the text."""
    _pools: dict[str, list[str]] = field(default_factory=dict)
    _named: dict[str, list[str]] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)
    _combinations: dict[str, Iterator[tuple[int, ...]]] = field(default_factory=dict)
    _rerolls: int = REROLLS
    _taken: int = 0

    def __post_init__(self) -> None:
        for name, column in self.table.columns.items():
            if column.must_be_given:
                self._include(name)

    @property
    def values(self) -> Values:
        """What to try now."""
        # Two values drawn at random may be the same, and make a pool shorter than it was.
        chosen = {name: pool[min(self._places[name], len(pool) - 1)] for name, pool in self._pools.items()}
        return chosen | self.given

    def learn(self, answer: Answer) -> bool:
        """Change what to try next; return False when there is nothing left to change."""
        match answer.sqlstate:
            case "23502":
                return self._include(answer.column or "")
            case "23514" if answer.constraint or answer.datatype:
                return self._satisfy(answer)
            case "23514":
                # Without a name it is the bound of a partition.
                return self._reroll() if self.table.is_hashed else self._vary("bounds", self._bound_columns())
            case "23505" | "23P01":
                # A random value is soon another. Where there is none, the next of a few has to do.
                self._taken += 1
                return self._reroll() if self._taken <= 3 else self._vary("taken", list(self._pools))
        if (answer.sqlstate or "").startswith("22"):
            # A value that its type does not take, or that a function in a check cannot work with. Nothing says which.
            return self._vary("types", list(self._pools))
        return False

    def _bound_columns(self) -> list[str]:
        return sorted({key for bound in self.table.bounds for key in bound.keys} & self._pools.keys())

    def _include(self, name: str) -> bool:
        column = self.table.columns.get(name)
        if column is None or column.is_generated or name in self.given or name in self._pools:
            return False
        named = [value for value in named_values(self.table, column) if self.fits(column, value)]
        self._named[name] = named
        self._pools[name] = [*named, *usual_values(self.table, column)]
        self._places[name] = 0
        return bool(self._pools[name])

    def _satisfy(self, answer: Answer) -> bool:
        named = [rule.columns for rule in self.table.rules if rule.name == answer.constraint]
        columns: Iterable[str] = named[0] if named else ()
        if not named and answer.datatype:
            columns = [name for name in self._pools if self.table.columns[name].checks]
        added = [self._include(name) for name in columns]
        return any(added) or self._vary(answer.constraint or "", [name for name in columns if name in self._pools])

    def _vary(self, what: str, names: Sequence[str]) -> bool:
        if len(names) == 1:
            # Several checks may look at one column: each goes on where the last one stopped.
            self._places[names[0]] += 1
            return self._places[names[0]] < len(self._pools[names[0]])
        if what not in self._combinations:
            self._combinations[what] = _nearest_first([len(self._pools[name]) for name in names])
        places = next(self._combinations[what], None) if names else None
        if places is None:
            return False
        self._places.update(zip(names, places, strict=True))
        return True

    def _reroll(self) -> bool:
        self._rerolls -= 1
        for name in self._pools:
            self._pools[name] = [*self._named[name], *usual_values(self.table, self.table.columns[name])]
        return self._rerolls > 0


def _nearest_first(lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield every choice of places, those with likely values first, without the one that was tried already."""
    far = sum(lengths)
    for distance in range(1, far):
        ranges = [range(min(length, distance + 1)) for length in lengths]
        yield from (places for places in product(*ranges) if sum(places) == distance)
