"""Judging what was published: whose it is, and whether it says so."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from tasks import registry
from tasks.errors import MessageInvalidError
from tasks.headers import token_of
from tasks.message import JobMessage
from tasks.proof.envelope import Envelope
from tasks.proof.report import Leak, LeakKind
from tasks.proof.tokens import tokens_in


def judge_messages(envelopes: Sequence[Envelope], *, tenants: frozenset[UUID]) -> Iterator[Leak]:
    """Yield what is wrong with messages that were published while `tenants` may have had work going on."""
    for envelope in envelopes:
        declaration = registry.declared().get(envelope.task or "")
        if declaration is None or declaration.tenantless:
            continue
        whose = tenant_of(envelope)
        told = f"{envelope.task} on queue {envelope.queue}"
        if whose is None:
            yield Leak(LeakKind.MESSAGE, f"published {told} without a tenant")
        elif whose not in tenants:
            yield Leak(LeakKind.MESSAGE, f"published {told} for another tenant")


def tenant_of(envelope: Envelope) -> UUID | None:
    """Return whose message it is: by the token of a call, or by the ids of a job; None when it says nothing."""
    for token in tokens_in((token_of(envelope.headers) or "").encode()):
        return token.tenant
    try:
        return JobMessage.parse(*envelope.arguments()).tenant_id
    except MessageInvalidError:
        return None
