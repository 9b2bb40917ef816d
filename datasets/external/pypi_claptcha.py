"""Draw CAPTCHAs with the PyPI package `claptcha` into a folder with labels.csv.

    .bench/generators/bin/python datasets/external/pypi_claptcha.py --count 500 --out FOLDER [--seed S]

The drawing is the noisy one of the package's documentation, in a face of this project, as the package ships none.
It draws its chances from the `random` module; this command puts a seeded generator in that place: a seed gives
the same folder each time (for the same versions of it and Pillow).

Tested in ``tests/designs/test_external.py``.
"""

import random

import claptcha.claptcha as package
from filling import Order, fill, read_order
from PIL.ImageFont import FreeTypeFont

from captcha_solver.designs.places import data_folder

FACE = data_folder("fonts") / "droid-sans-mono" / "droid-sans-mono.ttf"
NOISE = 0.3


def getsize(font: FreeTypeFont, text: str) -> tuple[int, int]:
    """Width and height in pixels from the origin, as Pillow 9 measured them."""
    _, _, right, bottom = font.getbbox(text)
    return int(right), int(bottom)


def draw(order: Order, text: str, rng: random.Random) -> bytes:
    """PNG of ``text`` as the package's documentation draws it."""
    package.random = rng
    _, buffer = package.Claptcha(text, str(FACE), (order.width_px, order.height_px), noise=NOISE).bytes
    return bytes(buffer.getvalue())


if __name__ == "__main__":
    FreeTypeFont.getsize = getsize  # the package is of 2017; Pillow dropped this method in version 10
    purpose = "Draw with claptcha."
    fill(read_order(purpose, charset="alnum", length="5", width_px=200, height_px=80), draw)
