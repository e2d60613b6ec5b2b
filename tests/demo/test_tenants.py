"""Slugs made from names that people chose."""

import re

from hypothesis import given
from hypothesis import strategies as st

from cli.demo.tenants import slugs_for


@given(st.lists(st.text(min_size=1, max_size=200), unique=True, max_size=60))
def test_every_name_gets_a_dns_label_of_its_own(names: list[str]) -> None:
    slugs = slugs_for(names)

    assert list(slugs) == names
    assert len(set(slugs.values())) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", slug) for slug in slugs.values())


def test_a_slug_is_as_like_its_name_as_ascii_allows() -> None:
    assert slugs_for(["Zürich Kaffee", "Bolt & Sons", "日本"]) == {
        "Zürich Kaffee": "zurich-kaffee",
        "Bolt & Sons": "bolt-sons",
        "日本": "tenant",
    }


def test_names_with_the_same_slug_are_numbered() -> None:
    names = ["acme", "ACME", "Acme!", "Acme 2", "x" * 70, "x" * 71]

    assert list(slugs_for(names).values()) == ["acme", "acme-2", "acme-3", "acme-2-2", "x" * 63, "x" * 61 + "-2"]
