"""ddddocr: its default network, or the larger one (``beta``). It has no batches and no setting for threads.

Tested in ``tests/benchmarks/peers/test_measure.py``.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class Reader:
    """``DdddOcr(show_ad=False).classification``, one image after the other."""

    def __init__(self, options: Mapping[str, str]) -> None:
        import onnxruntime

        session = onnxruntime.InferenceSession

        def single_threaded(*arguments: Any, **named: Any) -> Any:
            settings = onnxruntime.SessionOptions()
            settings.intra_op_num_threads = settings.inter_op_num_threads = 1
            return session(*arguments, **(named | {"sess_options": settings}))

        onnxruntime.InferenceSession = single_threaded
        import ddddocr

        self._ocr = ddddocr.DdddOcr(show_ad=False, beta=options["network"] == "beta")

    def read(self, images: Sequence[bytes]) -> list[str]:
        return [str(self._ocr.classification(image)) for image in images]

    def read_sure(self, images: Sequence[bytes]) -> list[tuple[str, float | None]]:
        """Its confidence is the mean of the highest probability at every step, the steps between letters included."""
        found = [self._ocr.classification(image, probability=True) for image in images]
        return [(str(each["text"]), float(each["confidence"])) for each in found]
