"""RapidOCR (PP-OCR v4): its recognition network on the whole image as one line of text.

Its text detection is left out: on images as small as these it takes about a second and reads fewer of them.
"""

from collections.abc import Mapping, Sequence


class Reader:
    """``RapidOCR()(image, use_det=False)``, one image after the other."""

    def __init__(self, options: Mapping[str, str]) -> None:
        from rapidocr_onnxruntime import RapidOCR

        self._ocr = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)

    def read(self, images: Sequence[bytes]) -> list[str]:
        texts = []
        for image in images:
            lines, _ = self._ocr(image, use_det=False, use_cls=False)
            texts.append("".join(line[0] for line in lines or ()).replace(" ", ""))
        return texts
