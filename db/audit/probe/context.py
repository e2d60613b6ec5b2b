"""Trying to be somebody without proof, or to stay somebody after the end of a transaction."""

from db.audit.probe.scene import Attack, Leak
from db.audit.probe.stage import Stage
from db.audit.probe.standins import Pair
from db.audit.probe_checks import CONTEXT

OBJECT = "partywall.current_tenant_id()"
_WHO = "select partywall.current_tenant_id()"


def impersonate(stage: Stage, pair: Pair) -> Attack:
    """Play the attacks on the context itself. Nothing is written, so the transactions may end either way."""
    a, b = pair
    for end, name in ((stage.connection.commit, "COMMIT"), (stage.connection.rollback, "ROLLBACK")):
        stage.begin(pair)
        stage.enter(a)
        end()
        stage.begin(pair)
        if stage.attack(_WHO).was_done:
            yield Leak(CONTEXT, f"after {name} the next transaction is still tenant A")
        stage.end()
    stage.begin(pair)
    forged = {
        "tenant A's token with tenant B's id in it": a.token.replace(str(a.tenant_id), str(b.tenant_id)),
        "a token with another signature": a.token[:-1] + ("0" if a.token[-1] != "0" else "1"),
        "the bare id of a tenant": str(b.tenant_id),
    }
    for what, token in forged.items():
        if stage.attack("select partywall.enter(%s)", token).was_done:
            yield Leak(CONTEXT, f"{what} is let in")
        with stage.aside():
            stage.keep("select pg_catalog.set_config('partywall.token', %s, true)", token)
            if stage.attack(_WHO).was_done:
                yield Leak(CONTEXT, f"{what}, written into the setting, is believed")
    stage.end()
