"""The RQ queues: what travels in them are ids alone, as JSON."""

from collections.abc import Iterable
from uuid import uuid4

from rq import Queue, Retry
from rq.executions import ExecutionRegistry
from rq.intermediate_queue import IntermediateQueue
from rq.registry import FailedJobRegistry, StartedJobRegistry

from workers import keys
from workers.connection import Client, Pipe

SERIALIZER = "json"
LANE_TASK = "workers.jobs.runner.serve_lane"
RETRIES = 3
FAILURE_TTL_S = 24 * 3600
CALLED_S = 10  # a worker that was called and has not come by then is called again


class WorkQueue:
    """One RQ queue of numbered parts of records. Workers listen to one alone: RQ guards a popped job only for such.

    ``task``: what RQ runs, called with the record's id and the number; ``part``: what a number is called.
    """

    task: str
    part: str

    def __init__(self, name: str, redis: Client, timeout_s: int) -> None:
        self.rq = Queue(name, connection=redis, serializer=SERIALIZER, default_timeout=timeout_s)
        self.timeout_s = timeout_s

    def put(self, record_id: str, numbers: Iterable[int], pipe: Pipe, *, at_front: bool = False) -> None:
        """Queue parts of a record within the transaction of ``pipe``."""
        self.rq.enqueue_many(
            [
                Queue.prepare_data(
                    self.task,
                    args=[record_id, number],
                    job_id=rq_id(record_id, number),
                    description=f"{self.part} {number} of {record_id}",
                    timeout=self.timeout_s,
                    result_ttl=0,
                    failure_ttl=FAILURE_TTL_S,
                    retry=Retry(max=RETRIES),
                    at_front=at_front,
                )
                for number in numbers
            ],
            pipeline=pipe,
        )

    def known(self) -> set[str]:
        """RQ ids of the parts that are queued, or run by a worker that has been heard of lately."""
        redis = self.rq.connection
        with redis.pipeline() as pipe:
            pipe.lrange(self.rq.key, 0, -1)
            pipe.zrangebyscore(StartedJobRegistry(queue=self.rq).key, self._now(redis), "+inf")
            queued, started = pipe.execute()
        return {each.decode() for each in queued} | {each.decode().split(":")[0] for each in started}

    def failed(self) -> list[str]:
        """RQ ids of the parts that RQ has given up."""
        redis: Client = self.rq.connection
        return [each.decode() for each in redis.zrange(self._failed_key, 0, -1)]

    def forget(self, name: str, pipe: Pipe) -> None:
        """Remove what RQ keeps of a part that it has given up."""
        pipe.zrem(self._failed_key, name)
        pipe.unlink(f"rq:job:{name}", f"rq:results:{name}", *self.traces(name))

    def traces(self, name: str) -> tuple[str, str]:
        """Keys in which RQ remembers earlier runs of a part, for longer than the runs themselves.

        A new run must not find them: RQ counts it as failed where it meets an earlier one whose lease has run out.
        """
        intermediate = IntermediateQueue(self.rq.key, self.rq.connection)
        return ExecutionRegistry(name, self.rq.connection).key, intermediate.get_first_seen_key(name)

    @property
    def _failed_key(self) -> str:
        return str(FailedJobRegistry(queue=self.rq).key)

    @staticmethod
    def _now(redis: Client) -> int:
        return int(redis.time()[0])

    def __len__(self) -> int:
        return int(self.rq.connection.llen(self.rq.key))


class ChunkQueue(WorkQueue):
    """The queue of chunks of jobs; single images go before them."""

    task = "workers.jobs.runner.solve_chunk"
    part = "chunk"

    def call(self) -> None:
        """Have a worker serve the lane of single images, unless one was called already. It goes before all chunks."""
        redis: Client = self.rq.connection
        if not redis.set(keys.LANE_CALLED, 1, nx=True, ex=CALLED_S):
            return
        self.rq.enqueue_call(
            LANE_TASK,
            job_id=f"lane-{uuid4().hex}",
            description="single images",
            timeout=self.timeout_s,
            result_ttl=0,
            failure_ttl=CALLED_S,
            at_front=True,
        )


def rq_id(record_id: str, number: int) -> str:
    """The RQ job of a chunk or a piece: always the same, so that one queued twice is still one."""
    return f"{record_id}-{number}"


def chunk_of(rq_job_id: str) -> tuple[str, int] | None:
    """The job and the chunk of an RQ job's id; None where it is none of ours."""
    job_id, _, chunk = rq_job_id.rpartition("-")
    return (job_id, int(chunk)) if job_id and chunk.isdecimal() else None
