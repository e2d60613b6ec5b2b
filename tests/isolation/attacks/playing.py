"""Playing an attack and judging it: by what came back, by what changed, and by what the next tenant finds."""

from typing import Any

from db.roles import Role
from db.session import platform_connection
from tests.isolation.attacks.attack import Attack
from tests.isolation.attacks.doors import Door
from tests.isolation.attacks.evidence import Evidence
from tests.isolation.attacks.field import Field
from tests.isolation.attacks.next_tenant import what_b_finds
from tests.isolation.attacks.state import take_state


def play(field: Field, attack: Attack, door: Door) -> list[str]:
    """Run the attack through the door; return what it has won, in words."""
    if attack.guess is not None:
        return _play_oracle(field, attack, door)
    field.refresh()
    evidence = Evidence()
    door(field, evidence, attack.statements(field.facts))
    return _judge(field, attack, evidence)


def _play_oracle(field: Field, attack: Attack, door: Door) -> list[str]:
    assert attack.guess is not None
    won, shapes = [], []
    for guess in attack.guess:
        field.refresh()
        evidence = Evidence()
        door(field, evidence, attack.statements(field.facts | {"guess": field.facts[guess]}))
        shapes.append([line.replace(field.facts[guess], "the guess") for line in evidence.shape])
        won += _judge(field, attack, evidence)
    if shapes[0] != shapes[1]:
        won.append(f"the guess was answered: {shapes[0]} against {shapes[1]}")
    return won


def _judge(field: Field, attack: Attack, evidence: Evidence) -> list[str]:
    won = [] if evidence.b_could_work else ["B could not work meanwhile"]
    won += evidence.found_by_neighbour
    with platform_connection(Role.WORKER) as connection:
        won += what_b_finds(connection, field)
    _one_more_look(evidence)
    after = take_state(field)
    won += [f"changed: {name}" for name in after.changed_since(field.state)]
    if not field.victim.is_well():
        won.append("B's session is not what it was")
    # Part of what it was told, as a tenant's id is of its token, is no secret to it either.
    told = " ".join(field.facts.get(name, "") for name in attack.told)
    untold = {name: secret for name, secret in field.secrets.items() if secret not in told}
    won += [f"came back: {name}" for name in evidence.found_in(untold)]
    if attack.proof is not None and any(attack.proof in line for line in evidence.shape):
        won.append(f"did it: {attack.proof}")
    return won


def _one_more_look(evidence: Evidence) -> None:
    """Let A have the connection once more: what B's job said or did there may have been caught."""
    with platform_connection(Role.WORKER) as connection:
        driver: Any = connection.connection.driver_connection
        for notification in driver._notifies_backlog:
            evidence.saw_notification(notification)
        connection.exec_driver_sql("select 1")
        for notification in driver._notifies_backlog:
            evidence.saw_notification(notification)
