"""`partywall check broker`: each failure is arranged for real, but for servers of another age."""

import json

import pytest
import redis

from cli.broker_diagnosis import judge_redis
from cli.stack.broker import Broker
from cli.stack.ports import any_free_port
from tests.cli.conftest import Run


@pytest.fixture
def check(partywall: Run, monkeypatch: pytest.MonkeyPatch) -> "Check":
    """A function that returns verdict, words and fix for an address."""
    return Check(partywall, monkeypatch)


class Check:
    """Asks `partywall check broker` about an address."""

    def __init__(self, partywall: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        self._partywall, self._monkeypatch = partywall, monkeypatch

    def __call__(self, url: str) -> tuple[str, str, str]:
        self._monkeypatch.setenv("PARTYWALL_BROKER_URL", url)
        result = self._partywall("check", "broker", "--json")
        (finding,) = json.loads(result.stdout)["checks"]
        assert result.exit_code == (1 if finding["verdict"] == "fail" else 0)
        return finding["verdict"], finding["words"], finding["fix"]


def test_a_broker_that_serves_is_ok(broker: Broker, check: Check) -> None:
    verdict, words, _ = check(broker.url)

    assert verdict == "ok"
    assert f"127.0.0.1:{broker.port}, " in words


def test_a_missing_setting_is_named(check: Check) -> None:
    assert check("")[:2] == ("fail", "PARTYWALL_BROKER_URL is not set")


def test_a_dead_broker_is_found(check: Check) -> None:
    port = any_free_port()

    for url in (f"redis://:x@127.0.0.1:{port}/0", f"amqp://x:x@127.0.0.1:{port}//"):
        assert check(url)[:2] == ("fail", f"nothing listens at 127.0.0.1:{port}")


def test_a_host_without_an_address_is_named(check: Check) -> None:
    assert check("redis://no-such-host.invalid/0")[1] == "the host of no-such-host.invalid:6379 has no address"


def test_a_wrong_password_is_refused(broker: Broker, check: Check) -> None:
    verdict, words, fix = check(f"redis://:hush@127.0.0.1:{broker.port}/0")

    assert (verdict, words) == ("fail", f"127.0.0.1:{broker.port} refused the password")
    assert "hush" not in words + fix


def test_no_password_is_told_from_a_wrong_one(broker: Broker, check: Check) -> None:
    _, words, _ = check(f"redis://127.0.0.1:{broker.port}/0")

    assert words == f"127.0.0.1:{broker.port} asks for a password and there is none"


def test_a_broker_that_may_drop_messages_is_found(broker: Broker, check: Check) -> None:
    with redis.Redis.from_url(broker.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            verdict, words, fix = check(broker.url)
        finally:
            client.config_set("maxmemory-policy", "noeviction")

    assert verdict == "fail"
    assert words.startswith("maxmemory-policy is allkeys-lru: ")
    assert "config set maxmemory-policy noeviction" in fix


@pytest.mark.parametrize(
    "url",
    [
        "sqs://",
        "redis://",
        "redis://host:port/0",
        "redis://h\u00f6st:99999/0",
        "amqp://",
        "hush",
        "//:hush@host",
        "redis://[::1/0",
    ],
)
def test_what_is_no_address_is_not_repeated(check: Check, url: str) -> None:
    verdict, words, fix = check(url)

    assert (verdict, words) == ("fail", "PARTYWALL_BROKER_URL is not the address of a broker")
    assert "hush" not in fix


def test_a_parameter_that_nobody_knows_is_named(broker: Broker, check: Check) -> None:
    assert "'foo'" in check(f"{broker.url}?foo=1")[1]


def test_an_amqp_broker_is_only_knocked_at(broker: Broker, check: Check) -> None:
    verdict, words, _ = check(f"amqp://x:x@127.0.0.1:{broker.port}//")

    assert verdict == "warn"
    assert "was not tried" in words


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"redis_version": "6.0.20"}, ["Redis 6.0.20 is too old"]),
        ({"redis_version": "6.2.0", "maxmemory_policy": "noeviction", "role": "master"}, []),
        ({"redis_version": "7.2.4", "valkey_version": "8.1.0"}, []),
        ({"redis_version": "8.0", "role": "slave"}, ["this Redis is a replica: nothing can be sent there"]),
        (None, ["the server tells neither version nor settings (INFO refused)"]),
    ],
)
def test_a_server_is_judged_by_what_it_says_of_itself(info: dict[str, str] | None, words: list[str]) -> None:
    assert [finding.words for finding in judge_redis(info)] == words


def found_about_results(partywall: Run, *parts: str) -> list[tuple[str, str, str]]:
    """Return part, verdict and words of what `check` finds."""
    checks = json.loads(partywall("check", *parts, "--json").stdout)["checks"]
    return [(each["what"], each["verdict"], each["words"]) for each in checks]


def test_a_result_backend_is_looked_at_where_one_is_set(
    broker: Broker, partywall: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTYWALL_RESULT_BACKEND_URL", broker.url)
    (serving,) = (each for each in found_about_results(partywall) if each[0] == "result-backend")
    monkeypatch.setenv("PARTYWALL_RESULT_BACKEND_URL", f"redis://:hush@127.0.0.1:{broker.port}/0")
    refused = found_about_results(partywall, "result-backend")
    monkeypatch.setenv("PARTYWALL_RESULT_BACKEND_URL", "rpc://")
    unfit = found_about_results(partywall, "result-backend")

    assert (serving[1], f"127.0.0.1:{broker.port}, " in serving[2]) == ("ok", True)
    assert refused == [("result-backend", "fail", f"127.0.0.1:{broker.port} refused the password")]
    assert unfit == [("result-backend", "fail", "rpc:// cannot hold the results of a chord")]


def test_that_there_is_no_result_backend_is_said_when_asked(partywall: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARTYWALL_RESULT_BACKEND_URL", raising=False)

    assert "result-backend" not in [part for part, _, _ in found_about_results(partywall)]
    assert found_about_results(partywall, "result-backend")[0][1] == "ok"
