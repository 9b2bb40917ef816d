"""Sends parcels and fetches their answers: each is sent once and watched while the next is on its way.

Tested in ``tests/client/test_service.py``.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from captcha_solver.client.parcels import Entry, Parcel, packed
from captcha_solver.client.patience import backoff_s
from captcha_solver.client.records import FetchedAnswer, JobState, ServedModel, SubmitOptions, job_of, parsed
from captcha_solver.client.service import ServiceClient, StreamCutError
from captcha_solver.decoding.decode import EMPTY
from captcha_solver.types import Solution

AHEAD = 1  # parcels that wait at the service while one is read: more would only take room there
MOST_CUTS = 4  # streams without news, one after the other, before the job is asked instead
POLL_S = 2.0


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told: ``found`` of a job that is resumed, ``sent`` of every job, ``done`` how many more are answered."""

    found: Callable[[JobState], None]
    sent: Callable[[JobState], None]
    done: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A parcel, the last state of its job, and its answers by place; without a job where nothing could be sent."""

    parcel: Parcel
    job: JobState | None
    answers: Mapping[int, FetchedAnswer]

    def solutions(self, model: ServedModel) -> Iterator[tuple[Entry, Solution]]:
        """Each image of the parcel with its solution; one without an answer has one that says why."""
        unanswered = f"no answer: the job is {self.job.status}" if self.job else "not sent"
        place = 0
        for entry in self.parcel.entries:
            answer = None if entry.failure else self.answers.get(place)
            place += not entry.failure
            failure = entry.failure or unanswered
            unread = Solution(EMPTY, model.name, model.sha256, 0.0, failure, views=0)
            yield entry, answer.solution if answer else unread


def send(
    service: ServiceClient, parcels: Sequence[Parcel], options: SubmitOptions, watch: Watch
) -> Iterator[tuple[Parcel, JobState | None]]:
    """Each parcel and its job: the one that the same submission made before, else a new one."""
    keys = [parcel.submission(options) for parcel in parcels]
    known = service.submitted(keys)
    for parcel, key in zip(parcels, keys, strict=True):
        job = known.get(key)
        if job:
            watch.found(job)
        elif parcel.sent:
            with packed(parcel) as archive:
                job = service.submit(archive, options, key)
        if job:
            watch.sent(job)
        yield parcel, job


def deliver(
    service: ServiceClient, parcels: Sequence[Parcel], options: SubmitOptions, watch: Watch
) -> Iterator[Delivered]:
    """Each parcel with its answers, in order, as soon as they are whole."""
    waiting: deque[tuple[Parcel, JobState | None]] = deque()
    for sent in send(service, parcels, options, watch):
        waiting.append(sent)
        if len(waiting) > AHEAD:
            yield _delivered(service, *waiting.popleft(), options, watch)
    while waiting:
        yield _delivered(service, *waiting.popleft(), options, watch)


def _delivered(
    service: ServiceClient, parcel: Parcel, job: JobState | None, options: SubmitOptions, watch: Watch
) -> Delivered:
    watch.done(len(parcel.entries) - len(parcel.sent))
    if job is None:
        return Delivered(parcel, None, {})
    told = 0
    for state in follow(service, job.id):
        watch.done(state.done - told)
        told, job = state.done, state
    answers = {answer.index: answer for answer in service.answers(job.id, options.model)}
    return Delivered(parcel, job, answers)


def follow(service: ServiceClient, job_id: str) -> Iterator[JobState]:
    """Each state of a job as it changes, the final one last. A stream that is cut is taken up where it was; where
    several brought nothing, the job is asked again and again instead."""
    last_id, state, cuts = "", None, 0
    while cuts < MOST_CUTS:
        try:
            for event_id, data in service.events(job_id, last_id):
                last_id = event_id or last_id
                before, state = state, parsed(data, lambda data: job_of(json.loads(data)))
                if state != before:
                    cuts = 0
                    yield state
                if state.final:
                    return
        except StreamCutError:
            service.patience.sleep(backoff_s(cuts))
            cuts += 1
    while state is None or not state.final:
        before, state = state, service.job(job_id, wait_s=POLL_S)
        if state != before:
            yield state
