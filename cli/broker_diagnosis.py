"""What is wrong with broker and result backend, in plain words: `partywall check` asks, nothing is changed."""

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from db.diagnosis import Finding, Verdict

SETTING = "PARTYWALL_BROKER_URL"
RESULTS_SETTING = "PARTYWALL_RESULT_BACKEND_URL"
OLDEST_REDIS = (6, 2)
TIMEOUT_SECONDS = 5
DEFAULT_PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}

_REDIS = "Put redis://:password@host:port/0 into"
_SPELLING = (
    "Write it as redis://:password@host:port/0 or amqp://login:password@host:port/vhost, "
    "and @ : / ? # % in a password as %40 %3A %2F %3F %23 %25."
)


def diagnose_broker(url: str | None) -> list[Finding]:
    """Return everything found about the broker's address; one `ok` first when nothing fails."""
    if not url:
        return [
            Finding(Verdict.FAIL, f"{SETTING} is not set", "Set it, or start the embedded stack with: partywall up")
        ]
    try:
        scheme, host, port = _parts(url)
        if scheme.startswith("amqp"):
            return [_knock(host, port)]
        return _diagnose_redis(url, SETTING)
    except ValueError:
        # Not repeated: a password may stand in it.
        return [Finding(Verdict.FAIL, f"{SETTING} is not the address of a broker", _SPELLING)]


def diagnose_result_backend(url: str | None) -> list[Finding]:
    """Return everything found about the result backend's address; one `ok` first when nothing fails."""
    if not url:
        return [Finding(Verdict.OK, "there is none: no result leaves PostgreSQL, and chords are refused")]
    scheme = url.partition("://")[0]
    if scheme in ("rpc", "amqp", "amqps"):
        return [
            Finding(Verdict.FAIL, f"{scheme}:// cannot hold the results of a chord", f"{_REDIS} {RESULTS_SETTING}.")
        ]
    if scheme not in ("redis", "rediss"):
        return [Finding(Verdict.WARN, f"whether a result backend that is no Redis ({scheme}) answers was not tried")]
    try:
        return _diagnose_redis(url, RESULTS_SETTING)
    except ValueError:
        return [
            Finding(Verdict.FAIL, f"{RESULTS_SETTING} is not the address of a Redis", f"{_REDIS} {RESULTS_SETTING}.")
        ]


def judge_redis(info: dict[str, Any] | None, *, setting: str = SETTING) -> Iterator[Finding]:
    """Yield what is wrong with a server, by what it says of itself in INFO; None when it does not say."""
    if info is None:
        yield Finding(
            Verdict.WARN, "the server tells neither version nor settings (INFO refused)", "Allow it the command INFO."
        )
        return
    version = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < OLDEST_REDIS:
        yield Finding(Verdict.FAIL, f"Redis {version} is too old", "Upgrade to 6.2 or newer.")
    policy = info.get("maxmemory_policy")
    if policy not in (None, "noeviction"):
        yield Finding(
            Verdict.FAIL,
            f"maxmemory-policy is {policy}: a full Redis would drop what it holds silently",
            "config set maxmemory-policy noeviction, and in redis.conf.",
        )
    if info.get("role") in ("slave", "replica"):
        yield Finding(
            Verdict.FAIL, "this Redis is a replica: nothing can be sent there", f"Name the primary in {setting}."
        )


def _parts(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port.

    Raises:
        ValueError: one of them is missing or makes no sense.
    """
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError("no broker's address")
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme]


def _diagnose_redis(url: str, setting: str) -> list[Finding]:
    _, host, port = _parts(url)
    return _ask(_client(url), f"{host}:{port}", setting, has_password=bool(urlsplit(url).password))


def _ask(client: redis.Redis, address: str, setting: str, *, has_password: bool) -> list[Finding]:
    try:
        client.ping()
        info = _info(client)
    except TypeError as error:  # how redis-py refuses a parameter that it does not know
        return [Finding(Verdict.FAIL, f"{setting}: {str(error).rpartition('() ')[2]}", "Correct the part after the ?.")]
    except redis.RedisError as error:
        return [_refused(error, address, setting, has_password=has_password)]
    finally:
        client.close()
    found = list(judge_redis(info, setting=setting))
    if any(finding.verdict is Verdict.FAIL for finding in found):
        return found
    return [Finding(Verdict.OK, f"{address}, {_product(info)}"), *found]


def _client(url: str) -> redis.Redis:
    # Kombu also takes the spelling of Python's ssl module, redis-py takes only its own.
    spelled = re.sub(r"(?<=ssl_cert_reqs=)(?:CERT_)?(\w+)", lambda found: found[1].lower(), url)
    return redis.Redis.from_url(
        spelled,
        protocol=2,  # with 3 it opens with HELLO, which a Redis that is too old does not know
        retry=Retry(NoBackoff(), retries=0),
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
    )


def _info(client: redis.Redis) -> dict[str, Any] | None:
    try:
        info: Any = client.info()
    except redis.ResponseError:  # no right to ask, or a server that has no INFO
        return None
    return dict(info)


def _product(info: dict[str, Any] | None) -> str:
    if info is None:
        return "a Redis"
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info.get('redis_version')}"


def _refused(error: redis.RedisError, address: str, setting: str, *, has_password: bool) -> Finding:
    cause = error.__cause__ or error.__context__
    match error, cause:
        case redis.AuthenticationError(), _:
            words = "refused the password" if has_password else "asks for a password and there is none"
            return Finding(Verdict.FAIL, f"{address} {words}", f"Correct the password in {setting}.")
        case redis.BusyLoadingError(), _:
            return Finding(Verdict.FAIL, f"Redis at {address} is still loading its data", "Try again in a moment.")
        case redis.TimeoutError(), _:
            fix = f"Correct host and port of {setting}; look for a firewall in between, or for TLS (rediss://)."
            return Finding(Verdict.FAIL, f"no answer from {address} in time", fix)
        case redis.ConnectionError(), ssl.SSLError():
            fix = f"Correct redis:// or rediss:// and the certificates in {setting}."
            return Finding(Verdict.FAIL, f"{address} and {setting} disagree about TLS", fix)
        case redis.ConnectionError(), OSError():
            return _unreachable(cause, address, setting)
        case _:
            return Finding(Verdict.FAIL, f"what answers at {address} said: {error}", f"Correct {setting}.")


def _knock(host: str, port: int) -> Finding:
    # Speaking AMQP is kombu's business, and the command line does not know kombu.
    try:
        socket.create_connection((host, port), timeout=TIMEOUT_SECONDS).close()
    except OSError as error:
        return _unreachable(error, f"{host}:{port}", SETTING)
    return Finding(
        Verdict.WARN, f"something listens at {host}:{port}; that it is a broker and lets us in was not tried"
    )


def _unreachable(error: OSError, address: str, setting: str) -> Finding:
    correct = f"Correct host and port of {setting}, or start the server there."
    match error:
        case socket.gaierror():
            fix = f"Correct the host in {setting}, or look into DNS."
            return Finding(Verdict.FAIL, f"the host of {address} has no address", fix)
        case ConnectionRefusedError():
            return Finding(Verdict.FAIL, f"nothing listens at {address}", correct)
        case TimeoutError():
            return Finding(Verdict.FAIL, f"no answer from {address} in time", correct)
        case _:
            return Finding(Verdict.FAIL, f"{address}: {error.strerror or error}", correct)
