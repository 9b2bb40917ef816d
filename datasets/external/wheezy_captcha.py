"""Draw CAPTCHAs with the PyPI package `wheezy.captcha` into a folder with labels.csv.

    python datasets/external/wheezy_captcha.py --count 500 --out FOLDER [--seed S] [--charset upper+digits]

The drawing is the one of the package's documentation (warp, rotate, offset, then curve, noise, smooth), with
faces of this project, as the package ships none. It draws its chances from the `random` module; this command
puts a seeded generator in that place: a seed gives the same folder each time (for the same versions of it and
Pillow).

Tested in ``tests/designs/test_external.py``.
"""

import io
import random
from collections.abc import Callable
from functools import cache

import wheezy.captcha.image as wheezy
from filling import Order, fill, read_order
from PIL.Image import Image

from captcha_solver.designs.fonts import find_face

FACES = ("courier-prime-bold", "jetbrains-mono-extrabold", "droid-sans-mono", "open-sans")


@cache
def renderer(width_px: int, height_px: int) -> Callable[[str], Image]:
    """The package's renderer; its fonts are loaded once."""
    fonts = [str(find_face(face).path) for face in FACES]
    letters = wheezy.text(fonts=fonts, drawings=[wheezy.warp(), wheezy.rotate(), wheezy.offset()])
    steps = [wheezy.background(), letters, wheezy.curve(), wheezy.noise(), wheezy.smooth()]
    render: Callable[[str], Image] = wheezy.captcha(drawings=steps, width=width_px, height=height_px)
    return render


def draw(order: Order, text: str, rng: random.Random) -> bytes:
    """PNG of ``text`` as the package's documentation draws it."""
    wheezy.random = rng
    buffer = io.BytesIO()
    renderer(order.width_px, order.height_px)(text).save(buffer, "PNG")
    return buffer.getvalue()


if __name__ == "__main__":
    purpose = "Draw with wheezy.captcha."
    fill(read_order(purpose, charset="upper+digits", length="4", width_px=200, height_px=75), draw)
