"""How a mac is compared: in a way whose time says nothing about how much of it was right."""

import re

from tests.databases import Database


def source(database: Database, function: str) -> str:
    ((text,),) = database.ask("select prosrc from pg_proc where oid = cast(:name as regprocedure)", name=function)
    return re.sub(r"--.*|\s+", " ", str(text))


def test_digests_of_both_sides_are_compared_and_never_the_mac_itself(database: Database) -> None:
    """Comparing bytes stops at the first that differs; of a digest that says nothing about what it is of."""
    checking = source(database, "partywall_private.proven_tenant_id(text)")
    compared = re.findall(r"(\S+)\s*\(?\s*split_part\(token, '\.', 6\)", checking)

    assert compared == ["sha256(convert_to("]
    assert re.search(r"sha256\(convert_to\(encode\( sha256\(outer_pad \|\| sha256\(inner_pad", checking)


def test_an_api_keys_secret_is_compared_as_a_digest_of_a_digest(database: Database) -> None:
    checking = source(database, "partywall.authenticate(text, bytea)")

    assert "secret_proof = sha256(secret_digest)" in checking
