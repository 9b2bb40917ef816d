"""What RQ runs in a worker: ``solve_chunk`` and ``serve_lane``, and the runner with the models that does them."""

import threading
from collections.abc import Callable, Mapping, Sequence

import msgspec
from redis.exceptions import RedisError

from captcha_solver.text_prior import TextPrior
from workers import keys
from workers.connection import Client
from workers.installed import Installed
from workers.jobs.chunk import Chunk, begin_alone, first_images, record, settle_prior, take
from workers.jobs.lane import Lane
from workers.jobs.reader import Reader
from workers.jobs.record import Answer, Job, refusal
from workers.queue import ChunkQueue, chunk_of

PRIOR_IMAGES = 128  # of a job, that say what its texts have in common, where that is to be inferred
PART = 64  # readings before answers are written: what a killed worker loses, and how soon a cancelled job stops
WORTH_FETCHING = 2  # images: the next chunk is fetched while so many are read; one is read before it is there
CAREFUL_AFTER = 3  # started so often without an end, a chunk is read image by image
TRIES_ALONE = 3  # in whose hands a worker died so often, that image is given up


class ChunkRunner:
    """Solves chunks in one process: its models, its Redis, and the next chunk fetched while this one is read."""

    def __init__(self, redis: Client, queue: ChunkQueue, reader: Reader) -> None:
        self.redis = redis
        self.reader = reader
        self.chunks_done = 0
        self.told_to_stop: Callable[[], bool] = lambda: False
        self._next = Prefetch(redis, queue)
        self._lane = Lane(redis, queue, reader)

    def solve(self, job_id: str, number: int) -> None:
        """Answer all that is unanswered in a chunk. Run again, by any worker, it resumes where it was left."""
        chunk = take(self.redis, job_id, number, self._next.take(job_id, number))
        if chunk is None:
            return
        if len(chunk.images) >= WORTH_FETCHING:
            self._next.start()
        if chunk.attempt > CAREFUL_AFTER:
            self._one_by_one(chunk)
        else:
            indexes = list(chunk.images)
            part = self.reader.at_once(chunk.job.options, PART)
            for start in range(0, len(indexes), part):
                record(self.redis, chunk, self._answers(chunk, indexes[start : start + part]))
                if not self.redis.exists(keys.pending(job_id, number)):
                    break  # all answered, or the job was cancelled
        self.chunks_done += 1

    def serve_lane(self) -> None:
        """Answer single images for as long as they come, within bounds."""
        self._lane.serve(self.told_to_stop)
        self.chunks_done += 1

    def _one_by_one(self, chunk: Chunk) -> None:
        """After several tries that did not end: find the image that ends the worker, and answer the others."""
        for index, upload in chunk.images.items():
            if begin_alone(self.redis, chunk, index) > TRIES_ALONE:
                given_up = "a worker died or ran out of time each time it read this image"
                found = refusal(index, upload.name, upload.label, code="worker_died", detail=given_up)
            else:
                try:
                    (found,) = self._answers(chunk, [index])
                except Exception as error:  # whatever it is, it is this image's alone
                    kind = type(error).__name__
                    found = refusal(index, upload.name, upload.label, code="internal_error", detail=kind)
            record(self.redis, chunk, [found])
            if not self.redis.exists(keys.pending(chunk.job.id, chunk.number)):
                break  # as above

    def _answers(self, chunk: Chunk, indexes: Sequence[int]) -> list[Answer]:
        uploads = [chunk.images[index] for index in indexes]
        return self.reader.answers(uploads, indexes, chunk.job.options, chunk.job.model_sha256, self._prior(chunk.job))

    def _prior(self, job: Job) -> TextPrior | None:
        """What is inferred of a job's texts: by the first chunk, before it has answers, from the job's first images."""
        if not job.options.infer:
            return None
        kept = self.redis.get(keys.prior(job.id))
        if kept is None:
            found = self.reader.prior(first_images(self.redis, job, PRIOR_IMAGES), job.options)
            kept = settle_prior(self.redis, job, msgspec.json.encode(found))
        return msgspec.json.decode(kept, type=TextPrior)


class Prefetch:
    """Fetches the images of the chunk at the head of the queue while another is read; a guess, checked when used."""

    def __init__(self, redis: Client, queue: ChunkQueue) -> None:
        self._redis = redis
        self._queue = queue
        self._thread: threading.Thread | None = None
        self._found: tuple[str, int, Mapping[bytes, bytes]] | None = None

    def start(self) -> None:
        self._found = None
        self._thread = threading.Thread(target=self._fetch, daemon=True)
        self._thread.start()

    def take(self, job_id: str, number: int) -> Mapping[bytes, bytes] | None:
        """The images of this chunk, if it is the one that was fetched."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        found, self._found = self._found, None
        return found[2] if found and found[:2] == (job_id, number) and found[2] else None

    def _fetch(self) -> None:
        try:
            head = self._redis.lindex(self._queue.rq.key, 0)
            place = chunk_of(head.decode()) if head else None
            if place is not None:
                self._found = (*place, self._redis.hgetall(keys.images(*place)))
        except RedisError:
            self._found = None  # it is fetched again when it is needed, and the error shows there


INSTALLED: Installed[ChunkRunner] = Installed(
    "no models are loaded in this process: start workers with python -m workers"
)


def solve_chunk(job_id: str, number: int) -> None:
    """RQ's task: answer the chunk ``number`` of a job."""
    INSTALLED.runner.solve(job_id, number)


def serve_lane() -> None:
    """RQ's task: answer single images that somebody waits for."""
    INSTALLED.runner.serve_lane()
