"""Attacks without a network, and audits for them: what a whole audit is made of, in a second."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from captcha_solver.audit import campaign, plan
from captcha_solver.audit.attackers.attacks import ATTACKS, AttackInputs, PreparedAttack
from captcha_solver.audit.plan import Stage
from captcha_solver.audit_settings import AuditSettings
from captcha_solver.cli.demo import drawn
from captcha_solver.types import Reading, Sample, Solution
from tests.audit.fake_attackers import TINY
from workers import keys
from workers.audits.queue import AuditQueue
from workers.audits.record import Audit, new_audit, packed
from workers.audits.runner import PieceRunner
from workers.audits.store import AUDITS, AuditStore, end
from workers.connection import Client
from workers.jobs.record import Upload
from workers.queue import chunk_of

DESIGN = TINY
FILES = {
    "report.json": b'{"a": 1}',
    "report.html": b"<p>",
    "report.md": b"# x",
    "trials.jsonl": b"{}\n",
    "badge.svg": b"<svg/>",
}
SHOP = AuditSettings(budgets=(0, 20), tested=30)


@dataclass(frozen=True, slots=True)
class FakeAttack:
    """Reads every image whose hash is even, and with labels every one but each fifth. ``before`` runs before it reads.

    ``prepared``: the labels with which it was prepared, one entry each time.
    """

    name: str
    trains: bool = True
    before: Callable[[], None] = lambda: None
    prepared: list[int] = field(default_factory=list)

    def missing(self) -> str | None:
        return None

    def prepare(self, labels: int, inputs: AttackInputs) -> PreparedAttack:
        self.prepared.append(labels)

        def read(samples: Sequence[Sample]) -> list[Solution]:
            self.before()
            return [self._solution(sample, labels) for sample in samples]

        sha256 = hashlib.sha256(self.name.encode()).hexdigest()
        return PreparedAttack(read, sha256, 1.5 if labels else 0.0, 0.5 if labels else None)

    def _solution(self, sample: Sample, labels: int) -> Solution:
        number = hashlib.sha256(sample.image).digest()[0]
        right = number % 5 > 0 if labels else number % 2 == 0
        return Solution(Reading(sample.text if right else "?", (), number / 256), self.name, self.name, 2.0, None)


def use_fakes(patch: pytest.MonkeyPatch, **before: Callable[[], None]) -> dict[str, FakeAttack]:
    """Have audits made of fake attacks alone; ``before``: what one of them does before it reads."""
    fakes = {name: FakeAttack(name, before=before.get(name, lambda: None)) for name in ("segmented", "sliding")}
    for name, fake in fakes.items():
        patch.setitem(ATTACKS, name, fake)
    patch.setattr(plan, "STOCK", ())
    patch.setattr(campaign, "STOCK", ())
    patch.setattr(campaign, "untrainable", lambda: None)
    patch.setattr(campaign, "perturbation_stage", lambda pool: Stage("adversarial perturbation", ()))
    return fakes


def images(count: int = 60) -> list[Sample]:
    """Drawn images that differ, named as in a folder."""
    return [Sample(f"{each.id}.png", each.image, each.text, "shop") for each in drawn("plain", range(count), 0)]


def begin(store: AuditStore, samples: Sequence[Sample] = (), *, owner: str = "ann", **others: Any) -> Audit:
    """Store and commit an audit: of images where there are some, else of ``DESIGN``."""
    given: dict[str, Any] = {"settings": SHOP, "ttl_s": 3600, **others}
    ttl_s = given.pop("ttl_s")
    name, source = ("shop", "images") if samples else ("tiny", "toml")
    audit = new_audit(
        Audit("", owner, name, source, created_at=0.0, expires_at=0.0, images=len(samples), **given), ttl_s
    )
    if samples:
        store.put_images(audit, [Upload(each.id, each.image, each.text) for each in samples])
    else:
        store.put_toml(audit, DESIGN)
    return store.commit(audit)


def queued(queue: AuditQueue) -> list[int]:
    """The numbers of the pieces that wait, first ones first."""
    names = [each.decode() for each in _redis(queue).lrange(queue.rq.key, 0, -1)]
    return [place[1] for place in map(chunk_of, names) if place]


def next_piece(queue: AuditQueue) -> tuple[str, int] | None:
    """Take the first waiting piece, as a worker does."""
    name = _redis(queue).lpop(queue.rq.key)
    return chunk_of(name.decode()) if name else None


def _redis(queue: AuditQueue) -> Client:
    return queue.rq.connection


def run_all(queue: AuditQueue, *auditors: PieceRunner) -> int:
    """Do what waits, one runner after the other, until nothing does. How many pieces it was."""
    done = 0
    while place := next_piece(queue):
        auditors[done % len(auditors)].do(*place)
        done += 1
    return done


@contextmanager
def ending(redis: Client, queue: AuditQueue, files: Mapping[str, bytes]) -> Iterator[None]:
    """Meanwhile every audit ends as soon as it is started, with these files for a report."""

    def finish(audit_id: str, number: int) -> None:
        for audit, _ in AUDITS.fetch(redis, [audit_id]):
            end(redis, audit, {}, {name: packed(data) for name, data in files.items()})

    with serving(redis), meanwhile(queue, finish):
        yield


@contextmanager
def meanwhile(queue: AuditQueue, do: Callable[[str, int], None]) -> Iterator[None]:
    """In a thread, each piece that is queued is given to ``do``: the id of its audit, its number."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.02):
            while place := next_piece(queue):
                do(*place)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def serving(redis: Client) -> Iterator[None]:
    """Meanwhile an audit worker seems to be ready."""
    redis.zadd(keys.AUDIT_WORKERS, {"pretended": time.time() + 1000})
    try:
        yield
    finally:
        redis.zrem(keys.AUDIT_WORKERS, "pretended")


def a_runner(redis: Client, queue: AuditQueue, folder: Path) -> PieceRunner:
    return PieceRunner(redis, queue, folder)


def work_keys(redis: Client, audit: Audit) -> set[str]:
    """What is left in Redis under the name of an audit."""
    return {key.decode().removeprefix(keys.audit(audit.id)) for key in redis.keys(f"{keys.audit(audit.id)}*")}
