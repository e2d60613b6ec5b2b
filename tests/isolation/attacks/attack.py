"""An attack: SQL that hostile code runs on the worker's connection while a job of tenant A is running."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.isolation.attacks.weakness import NO_POLICIES, Weakness

_FACT = re.compile(r"\{([a-z][a-z_]*)\}")


@dataclass(frozen=True)
class Attack:
    """What is tried. It has won when a canary of B's comes back, anything of B's changed, or a guess is answered."""

    name: str
    sql: tuple[str, ...]
    """Statements in order; `{b_note}` is what the attacker knows about B. An error ends none of what follows."""
    route: str
    """Under which heading of docs/explanation/security-model.md it belongs."""
    opened_by: tuple[Weakness, ...] = (NO_POLICIES,)
    """What has to be taken out of the wall for it to win. A test does that, so that no attack is a blank."""
    guess: tuple[str, str] | None = None
    """For an oracle: a fact of B's and one of nobody's. `{guess}` is each in turn, and what happens must look alike."""
    proof: str | None = None
    """Text that shows the attack has won, where it takes nothing of B's."""

    def __str__(self) -> str:
        return self.name.replace(" ", "-")

    def statements(self, facts: Mapping[str, str]) -> list[str]:
        """Return the SQL with the facts filled in."""
        return [_FACT.sub(lambda match: facts[match[1]], each) for each in self.sql]

    @property
    def told(self) -> set[str]:
        """The facts that the attacker knows."""
        return {name for each in self.sql for name in _FACT.findall(each)} | set(self.guess or ())


def attacks_on(route: str, *opened_by: Weakness) -> Callable[..., Attack]:
    """Return a short way to write attacks of one route."""

    def attack(name: str, *sql: str, **changes: object) -> Attack:
        given: dict[str, object] = {"opened_by": opened_by or (NO_POLICIES,)} | changes
        return Attack(name=name, sql=sql, route=route, **given)  # type: ignore[arg-type]

    return attack


def in_one_block(statements: Sequence[str]) -> str:
    """Return a DO block that runs the statements by itself and shows what each gives as notices."""
    tries = "\n".join(
        f"""
        begin
            {_tell(statement)}
        exception when others then
            raise notice 'error % %', sqlstate, sqlerrm;
        end;"""
        for statement in statements
    )
    return f"do $block$\ndeclare\n    given record;\nbegin{tries}\nend\n$block$"


def _tell(statement: str) -> str:
    quoted = f"$attack${statement}$attack$"
    if re.match(r"\s*(select|with|values|table|show|explain|fetch|\()", statement, re.IGNORECASE) or re.search(
        r"\breturning\b", statement, re.IGNORECASE
    ):
        return f"for given in execute {quoted} loop raise notice '%', given; end loop;"
    return f"execute {quoted};"
