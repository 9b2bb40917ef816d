"""What Prometheus is told: requests of this process, and jobs, images, audits and workers as Redis has them.

Tested in ``tests/api/routes/test_state.py``.
"""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from api.service import Service
from workers import keys

BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """A registry of its own, so that two apps in one process do not mix."""

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "captcha_http_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "captcha_http_request_seconds", "Time to the first byte of the answer", ["method", "route"],
            buckets=BUCKETS_S, registry=self.registry,
        )  # fmt: skip
        self.registry.register(QueueCollector(service))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)


class QueueCollector(Collector):
    """Reads Redis each time it is asked."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("captcha_redis_up", "Whether Redis answers")
        try:
            redis = self._service.redis
            with redis.pipeline(transaction=False) as pipe:
                pipe.hgetall(keys.STATISTICS)
                pipe.zcard(keys.OPEN)
                pipe.zcount(keys.WORKERS, time.time(), "+inf")
                pipe.zcard(keys.AUDITS_OPEN)
                statistics, unfinished, workers, audits = pipe.execute()
            queued, stored = len(self._service.store.queue), self._service.store.stored()
            pieces, auditors = len(self._service.audits.queue), self._service.audits.workers()
        except RedisError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        for name, help_text, value in (
            ("captcha_queued_chunks", "Chunks that wait for a worker", queued),
            ("captcha_stored_images", "Images that wait in Redis", stored),
            ("captcha_unfinished_jobs", "Jobs that are queued or running", unfinished),
            ("captcha_ready_workers", "Workers whose models are loaded", workers),
            ("captcha_queued_audit_pieces", "Pieces of audits that wait for an audit worker", pieces),
            ("captcha_unfinished_audits", "Audits that are queued or running", audits),
            ("captcha_ready_audit_workers", "Audit workers that are ready", auditors),
        ):
            yield GaugeMetricFamily(name, help_text, value)
        for counter, help_text in (
            ("images_solved", "Images with an answer"),
            ("images_failed", "Images that could not be read"),
            ("chunks_requeued", "Chunks that were lost and queued again"),
        ):
            yield CounterMetricFamily(f"captcha_{counter}", help_text, int(statistics.get(counter.encode(), 0)))
