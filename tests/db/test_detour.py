"""A DSN by way of a proxy leads to the same login and database, and nowhere else."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from db.detour import DetourImpossibleError, by_way_of, server_of


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("postgresql://worker:secret@db.example:6543/shop", ("db.example", 6543)),
        ("postgresql://worker@db.example/shop", ("db.example", 5432)),
        ("postgresql://worker@db.example/shop?hostaddr=192.0.2.1", ("192.0.2.1", 5432)),
        ("postgresql://worker@/shop?host=/run/postgresql&port=5433", "/run/postgresql/.s.PGSQL.5433"),
    ],
    ids=["port", "usual", "hostaddr", "socket"],
)
def test_the_way_leads_through_the_proxy_to_the_same_place(url: str, server: tuple[str, int] | str) -> None:
    parts = conninfo_to_dict(by_way_of(url, port=7777))

    assert server_of(url) == server
    assert (parts["host"], parts["port"], parts["user"], parts["dbname"]) == ("127.0.0.1", "7777", "worker", "shop")
    assert (parts["sslmode"], parts["gssencmode"]) == ("disable", "disable")


def test_what_has_to_be_spelled_otherwise_in_an_address_survives() -> None:
    url = "postgresql://wor%40ker:se%2Fcr%3At@db.example/sh%3Fop?options=-c%20work_mem%3D4MB&application_name=a%26b"
    parts = conninfo_to_dict(by_way_of(url, port=7777))

    assert (parts["user"], parts["password"], parts["dbname"]) == ("wor@ker", "se/cr:t", "sh?op")
    assert (parts["options"], parts["application_name"]) == ("-c work_mem=4MB", "a&b")


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_a_dsn_that_insists_on_tls_is_refused(mode: str) -> None:
    with pytest.raises(DetourImpossibleError, match="insists on TLS"):
        server_of(f"postgresql://worker@db.example/shop?sslmode={mode}")


def test_a_dsn_of_several_servers_is_refused() -> None:
    with pytest.raises(DetourImpossibleError, match="several servers"):
        server_of("postgresql://worker@one.example,two.example/shop")
