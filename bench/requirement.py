"""What a figure has to be, and whether it is."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent / "requirements.toml"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A bound on one figure, and why it is required."""

    name: str
    why: str
    at_most: float | None = None
    at_least: float | None = None

    def is_met_by(self, figure: float) -> bool:
        """Return whether the figure keeps within the bound."""
        return (self.at_most is None or figure <= self.at_most) and (self.at_least is None or figure >= self.at_least)

    def __str__(self) -> str:
        return f"at most {self.at_most:g}" if self.at_most is not None else f"at least {self.at_least:g}"


def requirements(target: str) -> list[Requirement]:
    """Return what is required of a target.

    Raises:
        KeyError: requirements.toml has no such table.
    """
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))[target]
    return [Requirement(name=name, **bounds) for name, bounds in table.items()]
