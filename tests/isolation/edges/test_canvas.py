"""Every edge of Celery, taken by two tenants at once: each step is taken in its publisher's tenant, and only there."""

from collections import Counter

import pytest

from tests.databases import TestTenant
from tests.isolation.edges.conftest import Edges
from tests.isolation.edges.footprints import Footprint, footprints
from tests.isolation.edges.walks import WALKS, id_for
from tests.waiting import wait_until


def words_of(walk: str, tenant: TestTenant) -> tuple[str, str]:
    return f"{tenant.slug}-{walk}-from-a-job", f"{tenant.slug}-{walk}-from-a-call"


def steps_of(walk: str, word: str) -> Counter[tuple[str, str]]:
    """Return what is to be left for the word: (word, step)."""
    steps = [(word, id_for(word) if step == "<its id>" else step) for step in WALKS[walk].steps]
    return Counter(steps + [(id_for(word, name), "after failure") for name in WALKS[walk].failures])


def left(edges: Edges, walk: str, word: str) -> list[Footprint]:
    return list(footprints(edges.site.database, word, *(id_for(word, name) for name in WALKS[walk].failures)))


@pytest.mark.parametrize("walk", WALKS)
def test_every_step_is_taken_in_its_publishers_tenant(edges: Edges, walk: str) -> None:
    for number in (0, 1):
        for tenant in edges.tenants:
            word = words_of(walk, tenant)[number]
            if number == 0:
                edges.take(tenant, walk, word)
            else:
                edges.call(tenant, "edges.take_as_call", walk=walk, word=word)

    for tenant in edges.tenants:
        for word in words_of(walk, tenant):
            expected = steps_of(walk, word)
            wait_until(
                lambda: len(left(edges, walk, word)) >= expected.total(),  # noqa: B023 - called at once
                timeout_seconds=20,
                what=f"{expected}\n{edges.site.worker.output()[-6000:]}",
            )
            found = left(edges, walk, word)
            assert Counter((each.word, each.step) for each in found) == expected
            assert {each.tenant_id for each in found} == {tenant.id}
