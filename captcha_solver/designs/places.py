"""Find the data folders: package data in an installed wheel, the ``datasets/`` folder in a checkout.

Tested in ``tests/designs/test_fonts.py``.
"""

from functools import cache
from pathlib import Path

from captcha_solver.errors import SetupError

PACKAGE = Path(__file__).resolve().parents[1]
WHEEL_DATA = PACKAGE / "data"
CHECKOUT_DATA = PACKAGE.parent / "datasets"


@cache
def data_folder(name: str) -> Path:
    """The folder ``designs`` or ``fonts``, or ``external`` (in a checkout only), else ``SetupError``."""
    for root in (WHEEL_DATA, CHECKOUT_DATA):
        if (root / name).is_dir():
            return root / name
    raise SetupError(
        f"expected the data folder {name!r} in {WHEEL_DATA} or {CHECKOUT_DATA}, found neither: "
        "install the package again, or work from a checkout"
    )
