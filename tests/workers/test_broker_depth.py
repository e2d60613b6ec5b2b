"""How much waits at the broker: Redis and RabbitMQ are asked in the same way."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kombu import Queue
from kombu.exceptions import OperationalError

from bench.chaos.black_hole import BlackHole
from bench.chaos.brokers import AnyBroker, RabbitBroker, RedisBroker
from tasks.application import TenantCelery
from workers.depth import ANSWER_SECONDS, messages_waiting


@pytest.fixture(params=["redis", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyBroker]:
    """A broker that runs."""
    made: AnyBroker = RedisBroker(tmp_path) if request.param == "redis" else RabbitBroker(tmp_path, "default")
    with made.running():
        yield made


def application(url: str) -> TenantCelery:
    app = TenantCelery("asks", set_as_current=False)
    app.config_from_object("celeryconfig")
    app.conf.update(broker_url=url)
    return app


def test_what_was_sent_waits_until_it_is_fetched_or_thrown_away(broker: AnyBroker) -> None:
    app = application(broker.url)
    assert messages_waiting(app, "default") == 0
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(3):
            producer.publish({}, routing_key="default", declare=[Queue("default")])

    assert messages_waiting(app, "default") == 3
    assert messages_waiting(app, "slow") == 0
    broker.empty()
    assert messages_waiting(app, "default") == 0


def test_a_broker_that_is_silent_or_gone_does_not_say(broker: AnyBroker) -> None:
    with BlackHole.before(broker.url) as line:
        app = application(line.url(broker.url))
        assert messages_waiting(app, "default") == 0
        line.fall_silent()
        asked_at = time.monotonic()
        with pytest.raises(OperationalError):
            messages_waiting(app, "default")

        assert time.monotonic() - asked_at < 6 * ANSWER_SECONDS
    with pytest.raises(OperationalError):
        messages_waiting(application(f"{urlsplit(broker.url).scheme}://127.0.0.1:9/"), "default")
