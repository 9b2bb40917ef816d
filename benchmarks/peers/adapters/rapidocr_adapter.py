"""RapidOCR (PP-OCRv6, small): its recogniser on the whole image as one line of text, or its text detector before it.

Its network knows many scripts; of its answer the letters and digits of ASCII are kept. It is not asked whether the
image is upside down.

Tested in ``tests/benchmarks/peers/test_measure.py``.
"""

import string
from collections.abc import Mapping, Sequence
from typing import Any

KEPT = frozenset(string.ascii_letters + string.digits)
SETTINGS = {
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Global.log_level": "critical",  # it warns of every image on which it finds no text
}


class Reader:
    """``RapidOCR()(image, use_det=...)``, one image after the other."""

    def __init__(self, options: Mapping[str, str]) -> None:
        from rapidocr import RapidOCR

        self._ocr = RapidOCR(params=SETTINGS)
        self._detector = options["detector"] == "yes"

    def read(self, images: Sequence[bytes]) -> list[str]:
        return [text for text, _ in self.read_sure(images)]

    def read_sure(self, images: Sequence[bytes]) -> list[tuple[str, float | None]]:
        return [joined(self._ocr(image, use_det=self._detector, use_cls=False)) for image in images]


def joined(found: Any) -> tuple[str, float]:
    """All lines as one text, as sure as the least sure of them; ("", 0.0) where nothing was found."""
    lines = [
        ("".join(character for character in text if character in KEPT), float(score))
        for text, score in zip(found.txts or (), found.scores or (), strict=True)
    ]
    kept = [(text, score) for text, score in lines if text]
    return "".join(text for text, _ in kept), min((score for _, score in kept), default=0.0)
