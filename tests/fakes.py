"""Stand-ins for networks: a recognizer that reads a text off an image's colour, and pictures for it."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from captcha_solver.charset import Charset
from captcha_solver.decoding.decode import FREE, Constraints
from captcha_solver.types import Rgb, Scores
from captcha_solver.voting import VoteFit

ALNUM = Charset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def scores_of(text: str, charset: Charset, *, sure: float = 0.9, collapse: bool = True) -> Scores:
    """Scores that read ``text``: a row a character at probability ``sure``, with CTC a blank after each."""
    ids: list[int] = []
    for number in charset.encode(text):
        ids += [number, 0] if collapse else [number]
    rest = (1 - sure) / (charset.classes - 1)
    probs = np.full((len(ids), charset.classes), rest)
    probs[np.arange(len(ids)), ids] = sure
    edges = np.arange(len(ids) + 1, dtype=np.float32) * 10
    return Scores(np.log(probs).astype(np.float32), np.stack([edges[:-1], edges[1:]], axis=1), collapse)


class FakeRecognizer:
    """Reads ``texts[red value of the first pixel]``; the red value 255 is nothing, what is beyond raises."""

    def __init__(self, texts: Sequence[str] = (), *, charset: Charset = ALNUM, sure: float = 0.9) -> None:
        self.name = "fake"
        self.charset = charset
        self.model_sha256 = "f" * 64
        self.temperature = 1.0
        self.length: str | None = None
        self.alphabet: str | None = None
        self.views = VoteFit()
        self.runtime = "none"
        self.calls: list[int] = []
        self._texts = texts
        self._sure = sure

    def score(self, images: Sequence[Rgb], constraints: Constraints = FREE) -> list[Scores]:
        self.calls.append(len(images))
        return [self._one(int(image[0, 0, 0])) for image in images]

    def _one(self, red: int) -> Scores:
        return scores_of("" if red == 255 else self._texts[red], self.charset, sure=self._sure)


def picture(red: int, form: str = "PNG") -> bytes:
    """An encoded 40 x 20 image whose red value is ``red``; 255 is white."""
    other = 255 if red == 255 else 0
    return encoded(Image.new("RGB", (40, 20), (red, other, other)), form)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    """Bytes of ``image`` in format ``form``."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()
