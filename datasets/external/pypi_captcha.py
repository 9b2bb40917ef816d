"""Draw CAPTCHAs with the PyPI package `captcha` (lepture/captcha) into a folder with labels.csv.

    python datasets/external/pypi_captcha.py --count 500 --out FOLDER [--seed S] [--charset digits]

The package draws its chances from `secrets`, which cannot be seeded; this command puts a seeded stand-in in
that place: a seed gives the same folder each time (for the same versions of captcha and Pillow).

Tested in ``tests/designs/test_external.py``.
"""

import random
from types import SimpleNamespace

import captcha.image
from captcha.image import ImageCaptcha
from filling import Order, fill, read_order


def draw(order: Order, text: str, rng: random.Random) -> bytes:
    """PNG of ``text`` as the package draws it by default."""
    captcha.image.secrets = SimpleNamespace(randbelow=rng.randrange, randbits=rng.getrandbits, choice=rng.choice)
    return bytes(ImageCaptcha(width=order.width_px, height=order.height_px).generate(text).getvalue())


if __name__ == "__main__":
    purpose = "Draw with PyPI captcha."
    fill(read_order(purpose, charset="lower+digits", length="4", width_px=160, height_px=60), draw)
