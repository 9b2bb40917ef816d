"""Single images that somebody waits for: a lane beside the chunks, without a job for each.

To queue and end a job costs several times what it takes to read one image. So the API lays a single image into Redis
and its id on a list; a worker that serves the lane takes what lies there, reads it in one batch, and pushes each answer
to whoever waits. Serving is itself a job of RQ, for which the API calls while fewer workers serve than are ready.

Nothing here outlives its waiting: where no answer comes in time (a worker was killed, all are busy with large chunks),
the API makes an ordinary job of the image, which it still holds.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from uuid import uuid4

from workers import keys
from workers.connection import Client, Pipe
from workers.jobs.reader import Reader
from workers.jobs.record import Answer, StoredOptions, refusal
from workers.jobs.single import HELD_S, Single
from workers.queue import ChunkQueue

AT_ONCE = 32  # images taken together, and readings before answers are given
SERVING_S = 5.0  # a worker serves so long without a pause, then does what else a worker must
IDLE_S = 2.0  # and so long without work
LOOK_S = 0.1  # how soon it sees that chunks wait, or that it shall stop
LEASE_S = 3.0  # a worker that was not heard of for so long does not serve


class Lane:
    """What one worker does for the lane."""

    def __init__(self, redis: Client, queue: ChunkQueue, reader: Reader) -> None:
        self._redis = redis
        self._queue = queue
        self._reader = reader
        self._name = uuid4().hex
        self._lease_until = 0.0

    def serve(self, told_to_stop: Callable[[], bool]) -> None:
        """Answer what comes, until told to stop, the time is up, nothing comes, or nothing does and chunks wait."""
        self._redis.delete(keys.LANE_CALLED)
        over = time.monotonic() + SERVING_S
        idle = time.monotonic() + IDLE_S
        ids: Sequence[bytes] = ()
        while ids or (time.monotonic() < over and not told_to_stop()):
            self._renew()
            ids = ids or self._wait()
            if ids:
                ids = self._answer(ids)
                idle = time.monotonic() + IDLE_S
            elif len(self._queue) or time.monotonic() > idle:
                break
        self._leave()

    def _renew(self) -> None:
        if time.monotonic() > self._lease_until - LEASE_S / 2:
            self._lease_until = time.monotonic() + LEASE_S
            self._redis.zadd(keys.LANE_SERVED, {self._name: time.time() + LEASE_S})

    def _wait(self) -> Sequence[bytes]:
        found = self._redis.blpop([keys.LANE], timeout=LOOK_S)
        return [found[1]] if found else []

    def _leave(self) -> None:
        """Stop serving, and call for another where an image came in the same moment."""
        self._lease_until = 0.0
        with self._redis.pipeline() as pipe:
            pipe.zrem(keys.LANE_SERVED, self._name)
            pipe.llen(keys.LANE)
            waiting = pipe.execute()[1]
        if waiting:
            self._queue.call()

    def _answer(self, ids: Sequence[bytes]) -> Sequence[bytes]:
        """Answer these images; the ids of those that came meanwhile, taken off the list."""
        parts = list(self._parts(self._fetch([each.decode() for each in ids])))
        with self._redis.pipeline() as pipe:
            for place, part in enumerate(parts):
                if place:
                    pipe.execute()  # whoever has an answer need not wait for the other parts, which may take long
                    self._renew()
                self._give(pipe, part)
            pipe.lpop(keys.LANE, AT_ONCE)
            return pipe.execute()[-1] or ()

    def _parts(self, singles: Sequence[Single]) -> Iterator[list[Single]]:
        """Images that are read together: with the same model and options, and not too many."""
        for alike in _alike(singles):
            size = self._reader.at_once(alike[0].options, AT_ONCE)
            yield from (alike[start : start + size] for start in range(0, len(alike), size))

    def _give(self, pipe: Pipe, part: Sequence[Single]) -> None:
        """Read images and have their answers pushed to whoever waits."""
        answers = self._read(part)
        failed = sum(given.failed for given in answers)
        for single, given in zip(part, answers, strict=True):
            pipe.rpush(keys.single_answer(single.id), given.body)
            pipe.expire(keys.single_answer(single.id), HELD_S)
            pipe.unlink(keys.single(single.id))
        pipe.hincrby(keys.STATISTICS, "images_solved", len(answers) - failed)
        pipe.hincrby(keys.STATISTICS, "images_failed", failed)

    def _fetch(self, ids: Sequence[str]) -> list[Single]:
        with self._redis.pipeline(transaction=False) as pipe:
            for each in ids:
                pipe.hmget(keys.single(each), "image", "about")
            held = pipe.execute()
        found = [Single.from_redis(each, fields) for each, fields in zip(ids, held, strict=True)]
        return [each for each in found if each is not None]

    def _read(self, alike: Sequence[Single]) -> list[Answer]:
        """Answers to images that are read in the same way; where that fails, each by itself."""
        try:
            return self._reader.answers(
                [each.upload for each in alike], [0] * len(alike), alike[0].options, alike[0].model_sha256
            )
        except Exception as error:  # whatever it is, it is one image's: the others are read all the same
            if len(alike) > 1:
                return [given for each in alike for given in self._read([each])]
            detail = type(error).__name__
            return [refusal(0, alike[0].upload.name, None, code="internal_error", detail=detail)]


def _alike(singles: Sequence[Single]) -> list[list[Single]]:
    """Those that are read with the same model and options together."""
    groups: dict[tuple[StoredOptions, str], list[Single]] = {}
    for single in singles:
        groups.setdefault((single.options, single.model_sha256), []).append(single)
    return list(groups.values())
