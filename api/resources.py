"""What the routes of jobs and of audits do alike: find, list, watch, cancel and remove one of the owner's.

Tested in ``tests/api/routes/test_jobs.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic

from fastapi import Header, Query, Response
from fastapi.concurrency import run_in_threadpool

from api import waiting
from api.problems import Problem
from api.service import Service
from workers.jobs.record import Status
from workers.records import CountsT, RecordStore, RecordT

USUAL_PAGE, LARGEST_PAGE = 50, 200
LONGEST_WAIT_S = 60.0

Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]
Wait = Annotated[float, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for its end")]
IfNoneMatch = Annotated[str | None, Header()]
LastEventId = Annotated[str, Header(description="The last event's id that was heard")]


def key_header(noun: str) -> Any:
    """The header ``Idempotency-Key`` of a request that makes a ``noun``."""
    return Header(pattern=r"^[!-~]{1,255}$", description=f"The same key and request again: the same {noun}, made once")


@dataclass(frozen=True, slots=True)
class Resource(Generic[RecordT, CountsT]):
    """The records of one kind as the API offers them.

    ``noun``: "a job"; ``missing``: the code of the error where there is none; ``path``: where they are.
    """

    noun: str
    missing: str
    path: str
    store: Callable[[Service], RecordStore[RecordT, CountsT]]
    status: Callable[[RecordT, CountsT], Status]
    state: Callable[[RecordT, CountsT], waiting.State]
    retry_after_s: int

    def find(self, service: Service, owner: str, record_id: str) -> tuple[RecordT, CountsT]:
        """The owner's record; ``Problem`` 404 where there is none, or it is another's."""
        found = self.store(service).find(owner, record_id)
        if found is None:
            raise Problem(
                404, self.missing, f"expected {self.noun} of yours, received {record_id}: it may have run out"
            )
        return found

    async def accepted(self, service: Service, owner: str, record_id: str) -> Response:
        """202 for a new record: where it is, and when to ask."""
        state = self.state(*await run_in_threadpool(self.find, service, owner, record_id))
        headers = {
            "Location": f"{self.path}/{record_id}",
            "Retry-After": str(self.retry_after_s),
            "ETag": state.tag,
        }
        return Response(state.body, 202, headers, "application/json")

    async def tell(
        self, service: Service, owner: str, record_id: str, *, wait: float, if_none_match: str | None
    ) -> Response:
        """How far a record is; with ``wait``, as soon as it is finished, or after so many seconds; 304 where known."""
        return await waiting.tell_state(
            service,
            self.store(service).records.keys.events(record_id),
            lambda: self.state(*self.find(service, owner, record_id)),
            waiting.Asking(wait, if_none_match),
            retry_after_s=self.retry_after_s,
        )

    async def watch(self, service: Service, owner: str, record_id: str, last_event_id: str) -> Response:
        """The record's state as server-sent events: first as it is, then each change, until it is finished."""
        await run_in_threadpool(self.find, service, owner, record_id)
        store = self.store(service)

        def look() -> waiting.State | None:
            found = store.find(owner, record_id)
            return None if found is None else self.state(*found)

        stream = store.records.keys.events(record_id)
        return waiting.events_of(service, stream, look, waiting.heard_last(last_event_id))

    def cancel(self, service: Service, owner: str, record_id: str) -> tuple[RecordT, CountsT]:
        """Stop a record, and find it again; ``Problem`` 409 where it was finished."""
        record, _ = self.find(service, owner, record_id)
        stopped = self.store(service).cancel(record)
        record, counts = self.find(service, owner, record_id)
        if not stopped and not record.cancelled:
            received = self.status(record, counts)
            raise Problem(
                409, "already_finished", f"expected {self.noun} that is not finished, received one that {received}"
            )
        return record, counts

    def remove(self, service: Service, owner: str, record_id: str) -> Response:
        """Stop a record and remove it with all that it holds: 204."""
        record, _ = self.find(service, owner, record_id)
        self.store(service).forget(record)
        return Response(status_code=204)
