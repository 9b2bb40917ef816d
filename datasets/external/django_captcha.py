"""Draw CAPTCHAs with the PyPI package `django-simple-captcha` into a folder with labels.csv.

    .bench/generators/bin/python datasets/external/django_captcha.py --count 500 --out FOLDER [--seed S]

No server is started: the package's view is called as a page would, on a database in memory. It seeds the `random`
module with the key of the text, and the key comes from the seed here: a seed gives the same folder each time (for the
same versions of it and Pillow).

Tested in ``tests/designs/test_external.py``.
"""

import random
from functools import cache

import django
from django.conf import settings
from django.core.management import call_command
from filling import Order, fill, read_order

MEMORY = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}


@cache
def start(width_px: int, height_px: int) -> None:
    """Set Django up with the package alone; a size of 0 x 0 leaves its own, which is that of the text."""
    size = {"CAPTCHA_IMAGE_SIZE": (width_px, height_px)} if width_px and height_px else {}
    settings.configure(INSTALLED_APPS=["captcha"], DATABASES={"default": MEMORY}, **size)
    django.setup()
    call_command("migrate", verbosity=0)


def draw(order: Order, text: str, rng: random.Random) -> bytes:
    """PNG of ``text`` as the package draws it by default."""
    start(order.width_px, order.height_px)
    from captcha.models import CaptchaStore  # can be imported once Django is set up
    from captcha.views import captcha_image

    key = f"{rng.getrandbits(160):040x}"
    CaptchaStore.objects.create(challenge=text, response=text.lower(), hashkey=key)
    return bytes(captcha_image(None, key).content)


if __name__ == "__main__":
    purpose = "Draw with django-simple-captcha; a width and height of 0 is the size of the text."
    fill(read_order(purpose, charset="upper", length="4", width_px=0, height_px=0), draw)
