"""The kinds of figure that a report has, each with its bounds: what its JSON Schema says of a field besides its type.

Tested in ``tests/audit/test_schema.py``.
"""

from typing import Annotated, Literal

from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Change = Annotated[float, Meta(ge=-1, le=1)]
Amount = Annotated[float, Meta(ge=0)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
AttackName = Annotated[str, Meta(description="Name of the attack.")]
Labels = Annotated[
    int, Meta(ge=-1, description="Labels that the attacker had; -1: a generator, as many as they care to draw.")
]
Bound = Annotated[
    Literal["=", "<=", ">"],
    Meta(description="= so many labels; <= at most so many, the fewest tried; > more, the most that were tried."),
]
Interval = tuple[Share, Share]
ChangeInterval = Annotated[
    tuple[Change, Change], Meta(description="95 % paired interval of the change (Newcombe 1998), [low, high].")
]


def said(text: str) -> Meta:
    """What the schema says of a field."""
    return Meta(description=text)
