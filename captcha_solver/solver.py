"""Turn encoded images into solutions: the whole pipeline on one screen. READ THIS FIRST.

bytes -> Picture (image) -> View (locate: cut to its text) -> Scores (recognizer: segment | slide, network)
-> Reading (decode) -> Solution. An unsure reading is voted on with readings of further views of the image (views).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from captcha_solver.arithmetic.expressions import answer_of
from captcha_solver.attempt import Attempt, attempt, together
from captcha_solver.charset import spelt
from captcha_solver.decoding.decode import EMPTY, Constraints, allowed_ids, decode_all, likelihoods, parse_length
from captcha_solver.image import Picture, read_picture
from captcha_solver.imaging.picture_bytes import PictureLike, picture_bytes
from captcha_solver.locate.cut import cuts
from captcha_solver.locate.regions import locate
from captcha_solver.recognizers import Recognizer, load_recognizer
from captcha_solver.text_prior import TextPrior, prior_from
from captcha_solver.types import Reading, Rgb, Scores, Solution
from captcha_solver.views import View, further_views
from captcha_solver.voting import USUAL, Viewed, ViewSettings, parse_views, shared, vote

CHUNK = 32  # images decoded and scored at once: memory stays bounded however many are asked for
NO_TEXT = "no text found"


@dataclass(frozen=True, slots=True)
class Read:
    """A picture, the view that is cut to its text, what was read in that from which scores, and in how many views."""

    picture: Picture
    view: View
    reading: Reading  # its columns are the image's
    scores: Scores
    views: int = 1


class Solver:
    """Reads images with one recognizer; what is known of their texts narrows the decoding."""

    def __init__(
        self,
        recognizer: Recognizer,
        constraints: Constraints | None = None,
        views: ViewSettings | None = None,
        prior: TextPrior | None = None,
    ) -> None:
        self.recognizer = recognizer
        self.prior = prior or TextPrior()
        self.constraints = constraints or Constraints()
        self.views = views or ViewSettings()
        allowed_ids(recognizer.charset, self.constraints)  # an impossible charset fails here, at once

    def inferring(self, images: Sequence[PictureLike]) -> "Solver":
        """A solver that knows what the answers to ``images``, of one design, have in common: characters and lengths.

        What was told beforehand stays. An explicit choice: an answer then depends on the other images.
        """
        return self.knowing(prior_from([each.reading for each in self.solve_batch(images)]))

    def knowing(self, prior: TextPrior) -> "Solver":
        """This solver, told what texts there are (see ``inferring``)."""
        known = self.constraints
        if known.charset is None and prior.charset is not None:
            known = replace(known, charset=prior.charset)
        return Solver(self.recognizer, known, self.views, prior)

    def solve(self, image: PictureLike) -> Solution:
        """The solution of one image: see ``solve_batch``."""
        return self.solve_batch([image])[0]

    def solve_batch(self, images: Sequence[PictureLike]) -> list[Solution]:
        """One solution an image, in order. A bad image raises nothing: its solution says why in ``failure``.

        An image may be the bytes of a PNG, JPEG, GIF, BMP or WEBP, or whatever else ``picture_bytes`` takes.

        ``elapsed_ms`` is an image's own decoding plus its equal share of the time its chunk spent in the
        recognizer.
        """
        chunks = (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))
        return [solution for chunk in chunks for solution in self._solve_chunk(chunk)]

    def _solve_chunk(self, images: Sequence[PictureLike]) -> list[Solution]:
        decoded = [attempt(_decoded, data) for data in images]  # a picture, or a failure that keeps its place
        read = together(self._read, decoded)
        unsure = [place for place, each in enumerate(read) if each.value and self._unsure(each.value.reading)]
        for place, voted in zip(unsure, together(self._look_again, [read[place] for place in unsure]), strict=True):
            read[place] = voted if voted.value else read[place]  # what was read once is not lost by a second look
        return [self._solution(each) for each in read]

    def _read(self, pictures: Sequence[Picture]) -> list[Read]:
        """Each picture cut to its text; where that may be one line or several, the surer of the two readings."""
        wanted = [cuts(picture.pixels, locate(picture.pixels)) for picture in pictures]
        scored = iter(self._scored([view for views in wanted for view in views]))
        return [
            max((Read(picture, view, *next(scored)) for view in views), key=lambda read: read.reading.confidence)
            for picture, views in zip(pictures, wanted, strict=True)
        ]

    def _scored(self, views: Sequence[View]) -> list[tuple[Reading, Scores]]:
        """What is read in each view, its columns led back to the image, and the scores that it was read from."""
        if not views:
            return []
        scores = self.recognizer.score([view.pixels for view in views], self.constraints)  # a call a shape bucket
        readings = decode_all(scores, self.recognizer.charset, self.constraints, self.recognizer.temperature)
        answers = [_answered(reading, self.constraints.answer) for reading in readings]
        led_back = [view.in_image(answer) for view, answer in zip(views, answers, strict=True)]
        return list(zip(led_back, scores, strict=True))

    def _unsure(self, reading: Reading) -> bool:
        return self.views.wanted(reading, self.prior.weight(reading))

    def _look_again(self, unsure: Sequence[Read]) -> list[Read]:
        """Each reading voted on with those of further views; the views of all images are one batch."""
        return [
            replace(first, reading=vote(views, self.views.fit, self.prior.weight), views=len(views))
            for first, views in zip(unsure, self._in_all_views(unsure), strict=True)
        ]

    def _in_all_views(self, read: Sequence[Read]) -> list[list[Viewed]]:
        """What is read in each view of each image, the first view first."""
        further = [further_views(each.picture.pixels, each.view, self.views) for each in read]
        again = iter(self._scored([view for views in further for view in views]))
        return [
            self._supported([(first.reading, first.scores), *(next(again) for _ in views)])
            for first, views in zip(read, further, strict=True)
        ]

    def _supported(self, scored: Sequence[tuple[Reading, Scores]]) -> list[Viewed]:
        """How probable the text that is read in each view of an image is in all of them."""
        readings, scores = zip(*scored, strict=True)
        written = [as_written(reading) for reading in readings]
        texts = [text for text in dict.fromkeys(written) if text]
        if not texts or not all(each.collapse for each in scores):
            return shared(readings)
        means = likelihoods(scores, texts, self.recognizer.charset, self.constraints).mean(axis=0).tolist()
        support = dict(zip(texts, means, strict=True))
        return [Viewed(each, support.get(text, 0.0)) for each, text in zip(readings, written, strict=True)]

    def views_of(self, images: Sequence[Rgb]) -> list[list[Viewed]]:
        """What is read in each view of each (H, W, 3) uint8 image, before any vote; the first view first."""
        return self._in_all_views(self._read([Picture(image) for image in images]))

    def _solution(self, read: Attempt[Read]) -> Solution:
        reading = read.value.reading if read.value else EMPTY
        length = self.constraints.length_text()
        wanted = NO_TEXT + (f" of length {length}" if length else "")
        nothing = None if reading.text else wanted if self.constraints.answer is None else f"{wanted} that is a sum"
        return Solution(
            reading=reading,
            recognizer=self.recognizer.name,
            model_sha256=self.recognizer.model_sha256,
            elapsed_ms=read.elapsed_ms,
            failure=read.failure or nothing,
            views=read.value.views if read.value else 0,
            frames=read.value.picture.frames if read.value else 1,
        )


def as_written(reading: Reading) -> str:
    """The text in the image: of a sum, the sum."""
    return "".join(character.char for character in reading.characters)


def _answered(reading: Reading, answer: str | None) -> Reading:
    """The reading with what it answers as its text; an empty one where a sum was asked for and none was read."""
    text = answer_of(reading.text, answer)
    return EMPTY if text is None else replace(reading, text=text)


def _decoded(image: PictureLike) -> Picture:
    return read_picture(picture_bytes(image))


def load_solver(
    model: str | Path = "sliding",
    *,
    runtime: str = "auto",
    charset: str | None = None,
    length: int | str | None = None,
    views: int | str = USUAL,
    fold_case: bool = False,
    answer: str | None = None,
) -> Solver:
    """A solver from a shipped model's name (``sliding``, ``segmented``, ``digits``) or a bundle's path.

    ``charset`` (``"digits"``, ``"lower+digits"``, ``"a-z0-9"``, or the characters themselves) and ``length`` (``4`` or
    ``"4-6"``) say what is known of the texts; with ``fold_case`` a charset allows both cases. Neither is needed, and a
    bundle fine-tuned on a few labels looks for their characters, and their length where they have one, unless told
    others. ``runtime``: ``onnx``, ``int8``,
    ``keras``, or ``auto``, the quickest on a CPU that the bundle has. ``views``: in how many views each image is read,
    1 to 7, or ``auto``: in all of them where the first reading is less confident than the bundle's threshold.
    ``answer``: the texts are sums, such as ``3+4=?``, and answered by the ``expression`` or its ``result``.
    """
    recognizer = load_recognizer(model, runtime)
    known = recognizer.length if length is None else length
    shortest, longest = (None, None) if known is None else parse_length(known)
    own = spelt(recognizer.alphabet) if recognizer.alphabet else None
    constraints = Constraints(own if charset is None else charset, shortest, longest, fold_case, answer)
    return Solver(recognizer, constraints, parse_views(views, recognizer.views))
