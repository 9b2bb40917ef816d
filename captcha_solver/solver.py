"""Turn encoded images into solutions: the whole pipeline on one screen. READ THIS FIRST.

bytes -> Rgb (image) -> Scores (recognizer: segment | slide, network) -> Reading (decode) -> Solution
"""

from collections.abc import Sequence
from pathlib import Path

from captcha_solver.attempt import Attempt, attempt, together
from captcha_solver.decode import EMPTY, Constraints, allowed_ids, decode_all, parse_length
from captcha_solver.image import read_image
from captcha_solver.recognizers import Recognizer, load_recognizer
from captcha_solver.types import Reading, Rgb, Scores, Solution

CHUNK = 32  # images decoded and scored at once: memory stays bounded however many are asked for
NO_TEXT = "no text found"


class Solver:
    """Reads images with one recognizer; what is known of their texts narrows the decoding."""

    def __init__(self, recognizer: Recognizer, constraints: Constraints | None = None) -> None:
        self.recognizer = recognizer
        self.constraints = constraints or Constraints()
        allowed_ids(recognizer.charset, self.constraints)  # an impossible charset fails here, at once

    def solve(self, image: bytes) -> Solution:
        """The solution of one encoded image (PNG, JPEG, GIF, BMP or WEBP)."""
        return self.solve_batch([image])[0]

    def solve_batch(self, images: Sequence[bytes]) -> list[Solution]:
        """One solution an image, in order. A bad image raises nothing: its solution says why in ``failure``.

        ``elapsed_ms`` is an image's own decoding plus its equal share of the time its chunk spent in the
        recognizer.
        """
        chunks = (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))
        return [solution for chunk in chunks for solution in self._solve_chunk(chunk)]

    def _solve_chunk(self, images: Sequence[bytes]) -> list[Solution]:
        decoded = [attempt(read_image, data) for data in images]  # Rgb, or a failure that keeps its place
        scored = together(self._score, decoded)  # one network call a shape bucket
        return [self._solution(each) for each in together(self._read, scored)]

    def _score(self, images: Sequence[Rgb]) -> list[Scores]:
        return self.recognizer.score(images, self.constraints)

    def _read(self, scores: Sequence[Scores]) -> list[Reading]:
        return decode_all(scores, self.recognizer.charset, self.constraints, self.recognizer.temperature)

    def _solution(self, read: Attempt[Reading]) -> Solution:
        reading = read.value or EMPTY
        length = self.constraints.length_text()
        nothing = None if reading.text else f"{NO_TEXT} of length {length}" if length else NO_TEXT
        return Solution(
            reading=reading,
            recognizer=self.recognizer.name,
            model_sha256=self.recognizer.model_sha256,
            elapsed_ms=read.elapsed_ms,
            failure=read.failure or nothing,
        )


def load_solver(
    model: str | Path = "sliding",
    *,
    runtime: str = "auto",
    charset: str | None = None,
    length: int | str | None = None,
) -> Solver:
    """A solver from a shipped model's name (``sliding``, ``segmented``, ``digits``) or a bundle's path.

    ``charset`` (``"digits"``, ``"lower+digits"``, or the characters themselves) and ``length`` (``4`` or
    ``"4-6"``) say what is known of the texts; neither is needed, and a bundle fine-tuned on a few labels looks for
    their characters, and their length where they have one, unless told others. ``runtime``: ``onnx``, ``int8``,
    ``keras``, or ``auto``, the quickest on a CPU that the bundle has.
    """
    recognizer = load_recognizer(model, runtime)
    known = recognizer.length if length is None else length
    shortest, longest = (None, None) if known is None else parse_length(known)
    return Solver(recognizer, Constraints(charset or recognizer.alphabet, shortest, longest))
