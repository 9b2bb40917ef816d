"""Draw CAPTCHAs with the PyPI package `multicolorcaptcha` into a folder with labels.csv.

    .bench/generators/bin/python datasets/external/multicolor_captcha.py --count 500 --out FOLDER [--seed S]

The drawing is the one of the package's documentation: digits on one colour. The package makes up its four characters
itself, and draws all its chances from the `random` module. This command puts the text and a seeded generator in that
place: a seed gives the same folder each time (for the same versions of it and Pillow).

Tested in ``tests/designs/test_external.py``.
"""

import io
import random
from functools import cache

import multicolorcaptcha._generator as package
from filling import Order, fill, read_order
from multicolorcaptcha._constants import CAPTCHA_SIZE

CHARACTERS = 4  # the package draws no other number
DIFFICULTY = 3  # of 0-5; that of the package's documentation


@cache
def generator(width_px: int, height_px: int) -> package.CaptchaGenerator:
    """The package's generator for one of its sizes, its fonts in an order that no file system changes."""
    made = package.CaptchaGenerator(CAPTCHA_SIZE.index((width_px, height_px)))
    made.l_fonts.sort()
    return made


def draw(order: Order, text: str, rng: random.Random) -> bytes:
    """PNG of ``text`` as the package's documentation draws it."""
    characters = iter(text)
    package.choice = lambda _: next(characters)  # with "ascii" it chooses the characters so, and nothing else
    package.randint = rng.randint
    drawing = generator(order.width_px, order.height_px)
    captcha = drawing.gen_captcha_image(DIFFICULTY, chars_mode="ascii")
    assert captcha.characters == text
    buffer = io.BytesIO()
    captcha.image.save(buffer, "PNG")
    return buffer.getvalue()


def check(order: Order) -> Order:
    """``order``, or the end of the program where the package cannot draw such."""
    if (order.shortest, order.longest) != (CHARACTERS, CHARACTERS):
        raise SystemExit(f"error: expected --length {CHARACTERS}, received {order.shortest}-{order.longest}")
    if (order.width_px, order.height_px) not in CAPTCHA_SIZE:
        sizes = ", ".join(f"{width}x{height}" for width, height in CAPTCHA_SIZE)
        received = f"{order.width_px}x{order.height_px}"
        raise SystemExit(f"error: expected --width and --height of one of {sizes}, received {received}")
    return order


if __name__ == "__main__":
    purpose = "Draw with multicolorcaptcha."
    fill(check(read_order(purpose, charset="digits", length="4", width_px=640, height_px=360)), draw)
