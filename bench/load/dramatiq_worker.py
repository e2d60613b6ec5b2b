"""Dramatiq: `dramatiq bench.load.dramatiq_worker`, with its default middleware."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from bench.load.bare_body import mark

BROKER = "BENCH_BROKER_URL"

dramatiq.set_broker(RedisBroker(url=os.environ.get(BROKER)))  # type: ignore[no-untyped-call]
dramatiq.actor(mark)
