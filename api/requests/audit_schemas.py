"""The shapes of requests and responses about audits, as they stand in the OpenAPI document.

Tested in ``tests/api/routes/test_audits.py``.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    WithJsonSchema,
)

from api.requests.schemas import Strict
from captcha_solver.audit_settings import FEWEST_TESTED, TESTED, Prices
from workers.jobs.record import Status

AUDIT_ID = r"^aud_[0-9a-f]{32}$"
SUBJECT_NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._:+-]{0,99}$"
FEWEST_LABELS, MOST_LABELS, MOST_BUDGETS = 10, 9999, 12  # of an audit's budgets, where they are not 0
MOST_TESTED, MOST_MINUTES, HIGHEST_PRICE = 2000, 24 * 60, 1e6


def _no_text(value: Any) -> Any:
    """JSON has numbers: 5 and 5.0 are whole ones, "5" and true are none."""
    if isinstance(value, bool | str):
        raise ValueError(f"expected a whole number, received {str(value)[:60]!r}")
    return value


def _budget(labels: int) -> int:
    if 0 < labels < FEWEST_LABELS:
        raise ValueError(f"expected 0, or {FEWEST_LABELS} labels and more, received {labels}")
    return labels


BUDGET = {"anyOf": [{"type": "integer", "const": 0}, {"type": "integer", "minimum": 10, "maximum": MOST_LABELS}]}
Whole = Annotated[int, BeforeValidator(_no_text)]
Budget = Annotated[Whole, Field(ge=0, le=MOST_LABELS), AfterValidator(_budget), WithJsonSchema(BUDGET)]
Price = Annotated[float, Field(strict=True, ge=0, le=HIGHEST_PRICE, allow_inf_nan=False)]


class AuditHow(Strict):
    """How an audit is done; all of it optional."""

    budgets: list[Budget] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_BUDGETS,
        description="Labels that attackers get, 0,20,50,... if not given",
    )
    minutes: float | None = Field(
        default=None,
        strict=True,
        gt=0,
        le=MOST_MINUTES,
        allow_inf_nan=False,
        description="What does not fit is left out",
    )
    tested: Whole = Field(default=TESTED, ge=FEWEST_TESTED, le=MOST_TESTED, description="Images to test on")
    seed: Whole = Field(default=0, ge=0, le=2**31)
    fold_case: bool = Field(default=True, strict=True, description="Upper and lower case are the same letter")
    answer: Literal["expression", "result"] | None = Field(
        default=None, description="The texts are sums: what counts is the expression, or its result"
    )
    infer: bool = Field(
        default=False, strict=True, description="Models infer length and characters from their own answers"
    )
    improve: bool = Field(
        default=False, strict=True, description="Draw what the advice amounts to, and attack that too"
    )
    price_core_hour: Price = Prices().core_hour
    price_label: Price = Prices().label
    price_attempt: Price = Prices().attempt


class AuditOptions(AuditHow):
    name: str | None = Field(default=None, pattern=SUBJECT_NAME, description="What the report calls it")


class AuditRequest(AuditHow):
    design: str = Field(description="A stored design; one of your own is sent as TOML")


class CellsOut(BaseModel):
    total: int = Field(description="Planned so far: what is measured decides what comes next")
    done: int = Field(description="Those left out among them")
    left_out: int


class PricesOut(BaseModel):
    core_hour: float
    label: float
    attempt: float


class AuditSettingsOut(BaseModel):
    budgets: list[int]
    minutes: float | None
    tested: int
    seed: int
    fold_case: bool
    answer: str | None
    infer: bool
    prices: PricesOut
    improve: bool


class AuditOut(BaseModel):
    id: str
    name: str
    source: str = Field(description="design, toml or images")
    status: Status
    stage: str = Field(description="What was started last, while the audit runs")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime
    cells: CellsOut
    images: int
    notes: list[str] = Field(description="What of an archive is not used, a sentence each; caveats of the report")
    settings: AuditSettingsOut
    error: str | None = Field(description="Why it failed")
    links: dict[str, str]


class AuditPageOut(BaseModel):
    items: list[AuditOut]
    next_cursor: str | None
