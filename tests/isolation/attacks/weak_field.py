"""Playing an attack with a hole in the wall, to see it win."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from db.migrate import bootstrap
from db.roles import Role
from tests.databases import PASSWORD
from tests.isolation.attacks import doors, planting
from tests.isolation.attacks.attack import Attack
from tests.isolation.attacks.field import Field, Planted, open_field
from tests.isolation.attacks.playing import play
from tests.isolation.attacks.state import ROWS_OF_B, take_state
from tests.isolation.attacks.weakness import weakened

_OF_THE_SERVER = {
    *("roles", "memberships", "role settings", "rights on settings", "configuration"),
    *("slots", "subscriptions", "unreadable"),
}
"""What is not gone with the database that it was changed in, or keeps it from being dropped."""


class WeakField:
    """A field that is thrown away when a winning attack has changed it for good."""

    def __init__(self, planted: Planted) -> None:
        self._planted = planted
        self._stack = ExitStack()
        self._field: Field | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def play(self, attack: Attack) -> list[str]:
        """Return what the attack wins while its holes are open."""
        field = self._field or self._stack.enter_context(open_field(self._planted))
        self._field = None
        before = field.state
        with weakened(field, attack.opened_by):
            field.state = take_state(field)
            won = play(field, attack, doors.plain)
        field.state = take_state(field)
        changed = set(field.state.changed_since(before))
        if all(name.startswith(ROWS_OF_B) for name in changed):
            if changed:
                planting.plant_b_anew(field.admin, field.facts)
                field.state = take_state(field)
            self._field = field
            return won
        if _OF_THE_SERVER & changed:
            restore_roles(field)
        self._stack.close()
        return won


_MEMBERSHIPS = """
    select roleid::regrole, member::regrole
    from pg_auth_members
    where member::regrole::text like 'partywall%'
      and (roleid, member) <> ('partywall_owner'::regrole, 'partywall_migrator'::regrole)
"""


def restore_roles(field: Field) -> None:
    """Put the server's roles back as `partywall bootstrap` made them."""
    do = field.admin.execute
    do("select pg_drop_replication_slot(slot_name) from pg_replication_slots")
    for (name,) in do("select subname from pg_subscription").fetchall():
        do(f"alter subscription {name} set (slot_name = none)")
        do(f"drop subscription {name}")
    do("drop role if exists evil")
    do("alter system reset all")
    do("alter role all reset all")
    for role in Role:
        do(f"alter role {role.login} reset all")
        do(f"alter role {role.login} login nosuperuser nobypassrls nocreaterole nocreatedb noreplication")
    do("revoke all on parameter session_replication_role, partywall.token from partywall_worker")
    for granted, member in do(_MEMBERSHIPS).fetchall():
        do(f"revoke {granted} from {member}")
    bootstrap(field.database.admin_url, logins=dict.fromkeys(Role, PASSWORD))
