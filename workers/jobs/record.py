"""The nouns that travel through Redis: jobs, uploads, answers; each to and from what Redis holds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from captcha_solver.arithmetic.expressions import truth_of
from captcha_solver.folders.labels_csv import LabelUse
from captcha_solver.texts import same_text
from captcha_solver.types import Solution
from workers.hashes import of_hash, to_hash

NESTED = frozenset({"options", "metadata", "label_use"})  # fields of a job that are JSON in its hash
SMALLEST_CHUNK, LARGEST_CHUNK = 16, 256
CHUNKS_A_JOB = 16  # a job is cut into about so many chunks, within the bounds above: progress shows, workers share


class Status(StrEnum):
    """Where a job stands. ``partial``: finished, but some of its images have no answer."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        return self not in {Status.QUEUED, Status.RUNNING}


@dataclass(frozen=True, slots=True)
class Upload:
    """One image as it came: its name, its bytes, and its text where that is known.

    ``refused``: why there are no bytes, where what was sent stands for none; its answer says so.
    """

    name: str
    image: bytes
    label: str | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class StoredOptions:
    """How the images of a job are to be read. In a record without ``views`` each is read once.

    ``infer``: length and characters of the texts are inferred from the job's own first answers.
    """

    model: str
    charset: str | None = None
    length: str | None = None
    fold_case: bool = False
    views: str = "1"
    answer: str | None = None
    infer: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a job is; ``done`` counts the answered images, failed ones among them."""

    total: int
    done: int = 0
    failed: int = 0
    labelled: int = 0
    correct: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is stored; times are seconds since the epoch. The status follows from these and the counts."""

    id: str
    owner: str
    total: int
    chunk_size: int
    options: StoredOptions
    model_sha256: str
    created_at: float
    expires_at: float
    started_at: float | None = None
    finished_at: float | None = None
    cancelled: bool = False
    expired: bool = False
    webhook: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    label_use: LabelUse | None = None

    @property
    def chunks(self) -> int:
        return -(-self.total // self.chunk_size)

    def indexes(self, chunk: int) -> range:
        """The images of one chunk."""
        return range(chunk * self.chunk_size, min((chunk + 1) * self.chunk_size, self.total))

    def status(self, counts: Counts) -> Status:
        if self.expired:
            return Status.EXPIRED
        if self.cancelled:
            return Status.CANCELLED
        if counts.done >= self.total:
            if counts.failed == 0:
                return Status.SUCCEEDED
            return Status.FAILED if counts.failed >= self.total else Status.PARTIAL
        return Status.QUEUED if self.started_at is None else Status.RUNNING

    def to_redis(self) -> dict[str, str]:
        """The fields of the job's hash. Those that are set later are absent until then."""
        return to_hash(self)

    @classmethod
    def from_redis(cls, record: Mapping[bytes, bytes]) -> "Job":
        return of_hash(cls, record, nested=NESTED)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one image got: written once, and never changed."""

    index: int
    failed: bool
    correct: bool | None
    body: str  # the result item, JSON


def answer(index: int, name: str, label: str | None, solution: Solution, asked: StoredOptions) -> Answer:
    """The answer that ``solution`` gives to the image ``index`` of a job, read as ``asked`` for."""
    error = {"code": "unreadable", "detail": solution.failure} if solution.failure else None
    correct = None
    if label is not None:
        truth = truth_of(label, asked.answer)
        correct = not error and same_text(truth, solution.text, fold_case=asked.fold_case)
    return _answer(index, name, (label, correct), solution, error)


def refusal(index: int, name: str, label: str | None, *, code: str, detail: str) -> Answer:
    """The answer to an image that could not be read at all, with the reason."""
    return _answer(index, name, (label, None if label is None else False), None, {"code": code, "detail": detail})


def _answer(
    index: int,
    name: str,
    judged: tuple[str | None, bool | None],
    solution: Solution | None,
    error: dict[str, str] | None,
) -> Answer:
    """``judged``: what was expected, and whether it was read; None and None where nothing is known."""
    label, correct = judged
    text = solution.text if solution and not error else None
    item: dict[str, Any] = {
        "index": index,
        "id": name,
        "status": "failed" if error else "solved",
        "text": text,
        "confidence": round(solution.confidence, 6) if solution and not error else None,
        "characters": [
            {
                "character": each.char,
                "confidence": round(float(each.confidence), 6),
                "span_px": [round(float(edge), 2) for edge in each.span_px],
            }
            for each in (solution.reading.characters if solution and not error else ())
        ],
        "elapsed_ms": round(solution.elapsed_ms, 3) if solution else 0.0,
        "views": solution.views if solution else 0,
        "frames": solution.frames if solution else 1,
        "error": error,
    }
    if label is not None:
        item |= {"expected": label, "correct": correct}
    return Answer(index, error is not None, correct, json.dumps(item, ensure_ascii=False, separators=(",", ":")))


def chunk_size(images: int) -> int:
    """How many images go into one chunk of a job of ``images``."""
    return min(max(-(-images // CHUNKS_A_JOB), SMALLEST_CHUNK), LARGEST_CHUNK)
