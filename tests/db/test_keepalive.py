"""A server that is gone without a word is noticed within a lease, by whoever waits for it."""

import os
import socket

import pytest
from psycopg.conninfo import conninfo_to_dict

from db.keepalive import KEEPALIVE, with_keepalive
from db.roles import Role
from db.session import platform_connection
from db.transport import TenantConnection
from tasks.settings import TaskSettings
from tests.databases import Database


def test_the_kernel_is_told_how_long_to_wait(database: Database) -> None:
    with platform_connection(Role.WORKER) as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, TenantConnection)
        line = socket.socket(fileno=os.dup(driver.pgconn.socket))
        with line:
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            seen = [
                line.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
            ]

    idle, interval, count, unanswered = seen
    lease = TaskSettings.model_fields["lease_seconds"].default
    assert idle + interval * count < lease
    assert 0 < unanswered / 1000 < lease


@pytest.mark.parametrize("url", ["postgresql://a:p%40s@h:5433/d?keepalives_idle=60&sslmode=require", "host=h dbname=d"])
def test_a_dsn_may_say_otherwise_and_keeps_the_rest(url: str) -> None:
    given, made = conninfo_to_dict(url), conninfo_to_dict(with_keepalive(url))

    assert {name: made[name] for name in given} == given
    assert made.keys() - given.keys() == KEEPALIVE.keys() - given.keys()
