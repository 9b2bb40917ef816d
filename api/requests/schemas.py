"""The shapes of requests and responses, as they stand in the OpenAPI document.

Tested in ``tests/api/requests/test_uploads.py``.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StringConstraints,
)

from captcha_solver.charset import parse_charset
from captcha_solver.decoding.decode import parse_length
from captcha_solver.errors import OptionError
from captcha_solver.voting import CHOICES, USUAL
from workers.jobs.record import Status

JOB_ID = r"^job_[0-9a-f]{32}$"
CHARSET = r"^\S+$"  # parse_charset says more
MOST_OF_A_CHARSET = 4096  # an alphabet of Chinese among them
LENGTH = r"^[1-9][0-9]{0,2}(-[1-9][0-9]{0,2})?$"
VIEWS = rf"^({'|'.join(CHOICES)})$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100)]
MetadataKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]
Base64 = Annotated[str, Field(description="The file's bytes: base64, or a data: URI; what is neither fails alone")]


def _checked(parse: Callable[[str], object]) -> Callable[[str], str]:
    """What refuses a text that ``parse`` refuses, and lets all others pass as they are."""

    def check(text: str) -> str:
        try:
            parse(text)
        except OptionError as error:
            raise ValueError(str(error)) from error
        return text

    return check


Charset = Annotated[
    str,
    StringConstraints(pattern=CHARSET, max_length=MOST_OF_A_CHARSET),
    AfterValidator(_checked(parse_charset)),
    Field(
        description="digits, lower+digits, a-z0-9, ... or the characters; with fold_case both cases of them",
        json_schema_extra={"format": "charset"},
    ),
]
Length = Annotated[
    str,
    StringConstraints(pattern=LENGTH),
    AfterValidator(_checked(parse_length)),
    Field(description="4, or 4-6", json_schema_extra={"format": "length"}),
]


def _all_texts(labels: Any) -> Any:
    """Stop at the first label that is none: an error for each of a million would fill the memory."""
    if isinstance(labels, dict):
        for name, text in labels.items():
            if not (isinstance(text, str) and 0 < len(name) <= 255 and 0 < len(text) <= 100):
                raise ValueError(f"expected names of 1-255 and texts of 1-100 characters, received {name[:60]!r}")
    return labels


Labels = Annotated[dict[Name, Label], BeforeValidator(_all_texts)]


class Strict(BaseModel):
    """A request: what it does not know is an error."""

    model_config = ConfigDict(extra="forbid")


class ReadingOptions(Strict):
    """How images are to be read; all of it optional."""

    model: str | None = Field(default=None, description="One of the names that GET /v1/models lists")
    charset: Charset | None = None
    length: Length | None = None
    fold_case: bool = Field(default=False, strict=True, description="Labels: upper and lower case are the same letter")
    views: str = Field(
        default=USUAL, pattern=VIEWS, description="Views that an image is read in; auto: all where the first is unsure"
    )
    answer: Literal["expression", "result"] | None = Field(
        default=None, description="The texts are sums, as 3+4=?: answered by the expression in one form, or its result"
    )


class JobOptions(ReadingOptions):
    infer: bool = Field(
        default=False,
        strict=True,
        description="Infer length and characters of the texts from the job's first 128 images: all are of one design",
    )
    labels: Labels | None = Field(default=None, description="File name to text: the results carry a score")
    metadata: dict[MetadataKey, MetadataValue] | None = Field(default=None, max_length=16)
    webhook: str | None = Field(default=None, max_length=2000, description="Told when the job is finished")


class JsonImage(Strict):
    id: Name | None = Field(default=None, description="Its name; else its place in the list")
    image: Base64
    label: Label | None = None


class JobRequest(JobOptions):
    images: Annotated[list[JsonImage], FailFast()] = Field(min_length=1)


class SolveRequest(ReadingOptions):
    image: Base64


class CountsOut(BaseModel):
    total: int
    done: int = Field(description="Answered, the failed ones among them")
    failed: int


class ModelRef(BaseModel):
    name: str
    sha256: str


class LabelUseOut(BaseModel):
    """How the labels that came in a table (labels.csv, or the option labels) fit the images."""

    rows: int = Field(description="Files that the table names")
    used: int = Field(description="Of these, those with an image and a label")
    unmatched_rows: int = Field(description="Rows that name no image: they count as not read correctly")
    unmatched: list[str] = Field(description="What the first of them name")
    unlabelled: int = Field(description="Images that the table does not name")
    problems: list[str] = Field(description="What is wrong with the first of the other rows that are not used")


class ScoreOut(BaseModel):
    """How many of the labelled images were read correctly, so far; rows of labels that are not used count."""

    n: int
    correct: int
    accuracy: float
    ci95: tuple[float, float]


class JobOut(BaseModel):
    id: str
    status: Status
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime
    counts: CountsOut
    model: ModelRef
    charset: str | None
    length: str | None
    views: str = Field(description="auto, or how many views each image is read in")
    infer: bool
    answer: str | None = Field(description="How sums are answered; None where the texts are none")
    score: ScoreOut | None
    labels: LabelUseOut | None = Field(description="None where no table of labels came")
    links: dict[str, str]
    metadata: dict[str, str]


class CharacterOut(BaseModel):
    character: str
    confidence: float
    span_px: tuple[float, float]


class ItemError(BaseModel):
    code: str
    detail: str


class ItemOut(BaseModel):
    """The answer to one image."""

    index: int
    id: str = Field(description="The file's name")
    status: Literal["solved", "failed"]
    text: str | None
    confidence: float | None
    characters: list[CharacterOut]
    elapsed_ms: float
    views: int = Field(default=1, description="In how many views it was read; 0: in none")
    frames: int = Field(default=1, description="How many frames that differ an animation has; all are looked at")
    error: ItemError | None
    expected: str | None = Field(default=None, description="The label, where one was given")
    correct: bool | None = None


class SolveOut(ItemOut):
    model: ModelRef


class JobPage(BaseModel):
    items: list[JobOut]
    next_cursor: str | None


class ResultPage(BaseModel):
    items: list[ItemOut]
    next_cursor: str | None


class ModelOut(BaseModel):
    name: str
    sha256: str
    kind: Literal["sliding", "segmented"]
    charset: str
    length: str | None
    usual: bool = Field(description="Taken where a request names none")
    workers: int = Field(description="Ready workers that have it")


class ModelPage(BaseModel):
    items: list[ModelOut]
    next_cursor: str | None = None


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    status: Literal["ready"] = "ready"
    workers: int
    queued_chunks: int
    stored_images: int
