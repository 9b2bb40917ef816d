"""Chunks of a job in, RQ jobs out: ids only travel in them, as JSON."""

from collections.abc import Iterable

from rq import Queue, Retry
from rq.registry import StartedJobRegistry

from workers.connection import Client, Pipe
from workers.messages import Job

SERIALIZER = "json"
TASK = "workers.tasks.solve_chunk"
RETRIES = 3
FAILURE_TTL_S = 24 * 3600


class ChunkQueue:
    """The one RQ queue of chunks. Workers listen to no other: RQ guards a popped job only for such workers."""

    def __init__(self, name: str, redis: Client, timeout_s: int) -> None:
        self.rq = Queue(name, connection=redis, serializer=SERIALIZER, default_timeout=timeout_s)
        self._timeout_s = timeout_s

    def enqueue(self, job: Job, chunks: Iterable[int], pipe: Pipe, *, at_front: bool = False) -> None:
        """Queue chunks of a job within the transaction of ``pipe``."""
        self.rq.enqueue_many(
            [
                Queue.prepare_data(
                    TASK,
                    args=[job.id, chunk],
                    job_id=rq_id(job.id, chunk),
                    description=f"chunk {chunk} of {job.id}",
                    timeout=self._timeout_s,
                    result_ttl=0,
                    failure_ttl=FAILURE_TTL_S,
                    retry=Retry(max=RETRIES),
                    at_front=at_front,
                )
                for chunk in chunks
            ],
            pipeline=pipe,
        )

    def known(self) -> set[str]:
        """RQ ids of the chunks that are queued, or run by a worker that has been heard of lately."""
        redis = self.rq.connection
        with redis.pipeline() as pipe:
            pipe.lrange(self.rq.key, 0, -1)
            pipe.zrangebyscore(StartedJobRegistry(queue=self.rq).key, self._now(redis), "+inf")
            queued, started = pipe.execute()
        return {each.decode() for each in queued} | {each.decode().split(":")[0] for each in started}

    @staticmethod
    def _now(redis: Client) -> int:
        return int(redis.time()[0])

    def __len__(self) -> int:
        return int(self.rq.connection.llen(self.rq.key))


def rq_id(job_id: str, chunk: int) -> str:
    """The RQ job of a chunk: always the same, so that one queued twice is still one."""
    return f"{job_id}-{chunk}"


def chunk_of(rq_job_id: str) -> tuple[str, int] | None:
    """The job and the chunk of an RQ job's id; None where it is none of ours."""
    job_id, _, chunk = rq_job_id.rpartition("-")
    return (job_id, int(chunk)) if job_id and chunk.isdecimal() else None
