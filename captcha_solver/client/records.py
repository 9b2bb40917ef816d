"""What the client knows of a service's models, jobs and answers, made from its JSON.

Tested in ``tests/client/test_service.py``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from captcha_solver.errors import ServiceError
from captcha_solver.types import Character, Reading, Solution
from captcha_solver.voting import USUAL

NounT = TypeVar("NounT")

FINAL = frozenset({"succeeded", "partial", "failed", "cancelled", "expired"})
SUBMISSION = "submission"  # the job's metadata under which it says what it was made from


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that the service offers; ``usual`` is taken where none is named."""

    name: str
    sha256: str
    usual: bool


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """How the images of a job are to be read; all but the model may be left open."""

    model: ServedModel
    charset: str | None = None
    length: str | None = None
    fold_case: bool = False
    views: str = USUAL
    answer: str | None = None
    infer: bool = False

    def fields(self) -> dict[str, str]:
        """As the fields of a form."""
        given = {"model": self.model.name, "charset": self.charset, "length": self.length, "views": self.views}
        given |= {"answer": self.answer}
        return (
            {name: value for name, value in given.items() if value}
            | ({"fold_case": "true"} if self.fold_case else {})
            | ({"infer": "true"} if self.infer else {})
        )


@dataclass(frozen=True, slots=True)
class JobState:
    """How far a job is; ``submission`` is the hash of what it was made from, empty for jobs of other clients."""

    id: str
    status: str
    total: int
    done: int
    submission: str

    @property
    def final(self) -> bool:
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class FetchedAnswer:
    """What the image at place ``index`` of a job got."""

    index: int
    solution: Solution


def model_of(body: Any) -> ServedModel:
    return parsed(body, lambda json: ServedModel(str(json["name"]), str(json["sha256"]), bool(json["usual"])))


def job_of(body: Any) -> JobState:
    return parsed(body, _job)


def answer_of(body: Any, model: ServedModel) -> FetchedAnswer:
    """A result item; its text is empty where it has none, as in ``solve``."""
    return parsed(body, lambda json: FetchedAnswer(int(json["index"]), _solution(json, model)))


def parsed(body: Any, parse: Callable[[Any], NounT]) -> NounT:
    """``parse(body)``; ``ServiceError`` where ``body`` is not what the service sends."""
    try:
        return parse(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServiceError(f"expected an answer of captcha-solver's service, received {str(body)[:80]!r}") from error


def _job(json: Mapping[str, Any]) -> JobState:
    counts = json["counts"]
    submission = str(json["metadata"].get(SUBMISSION, ""))
    return JobState(str(json["id"]), str(json["status"]), int(counts["total"]), int(counts["done"]), submission)


def _solution(json: Mapping[str, Any], model: ServedModel) -> Solution:
    characters = tuple(
        Character(str(c["character"]), float(c["confidence"]), (float(c["span_px"][0]), float(c["span_px"][1])))
        for c in json["characters"]
    )
    return Solution(
        reading=Reading(json["text"] or "", characters, float(json["confidence"] or 0.0)),
        recognizer=model.name,
        model_sha256=model.sha256,
        elapsed_ms=float(json["elapsed_ms"]),
        failure=str(json["error"]["detail"]) if json["error"] else None,
        views=int(json.get("views", 1)),  # an older answer is of one view
        frames=int(json.get("frames", 1)),
    )
