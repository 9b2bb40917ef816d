"""The models of one process, loaded once and warmed, which answer images as their options say."""

from collections.abc import Mapping, Sequence

import numpy as np

from captcha_solver.charset import spelt
from captcha_solver.decoding.decode import Constraints, parse_length
from captcha_solver.errors import CaptchaSolverError, OptionError
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.recognizers import Recognizer, load_recognizer
from captcha_solver.solver import Solver
from captcha_solver.text_prior import TextPrior
from captcha_solver.types import Rgb
from captcha_solver.voting import parse_views
from workers.jobs.record import Answer, StoredOptions, Upload, answer, refusal

WARM_WIDTHS_PX = (60, 100, 160, 240)
SOLVERS_KEPT = 64


class Reader:
    """Recognizers by name, and solvers made from them as jobs ask for them."""

    def __init__(self, models: Sequence[str], runtime: str = "auto") -> None:
        self._recognizers: dict[str, Recognizer] = {name: load_recognizer(name, runtime) for name in models}
        self._solvers: dict[StoredOptions, Solver] = {}

    @property
    def models(self) -> Mapping[str, str]:
        """Name -> SHA-256 of each model."""
        return {name: recognizer.model_sha256 for name, recognizer in self._recognizers.items()}

    def warm(self) -> None:
        """Read an image or two with each model: the first answers of a process are slow."""
        for recognizer in self._recognizers.values():
            for width in WARM_WIDTHS_PX:
                recognizer.score([_bars(width)])

    def solver(self, options: StoredOptions) -> Solver:
        """The solver for ``options``; ``OptionError`` where they ask for what there is not."""
        if options not in self._solvers:
            if len(self._solvers) >= SOLVERS_KEPT:
                self._solvers.clear()
            self._solvers[options] = self._made(options)
        return self._solvers[options]

    def at_once(self, options: StoredOptions, readings: int) -> int:
        """How many images to read together so that the network reads about ``readings`` times; never less than one.

        Views count: the more of them an image may be read in, the fewer images are read before anybody looks up.
        """
        try:
            return max(1, readings // self.solver(options).views.most)
        except CaptchaSolverError:  # such images are refused, not read
            return readings

    def prior(self, images: Sequence[bytes], options: StoredOptions) -> TextPrior:
        """What the answers to ``images`` have in common; nothing where the options cannot be met."""
        try:
            return self.solver(options).inferring(images).prior
        except CaptchaSolverError:  # such images are refused, not read
            return TextPrior()

    def answers(
        self,
        uploads: Sequence[Upload],
        indexes: Sequence[int],
        options: StoredOptions,
        model_sha256: str,
        prior: TextPrior | None = None,
    ) -> list[Answer]:
        """An answer to each upload, read as ``options`` say by the model whose hash is ``model_sha256``."""
        loaded = self.models.get(options.model)
        if loaded != model_sha256:
            detail = f"the job is for {options.model} {model_sha256[:12]}, this worker has {(loaded or 'none')[:12]}"
            return _refusals(uploads, indexes, "model_changed", detail)
        try:
            solver = self.solver(options) if prior is None else self.solver(options).knowing(prior)
        except CaptchaSolverError as error:
            return _refusals(uploads, indexes, "bad_option", str(error))
        solutions = iter(solver.solve_batch([upload.image for upload in uploads if upload.refused is None]))
        return [
            answer(index, upload.name, upload.label, next(solutions), options)
            if upload.refused is None
            else refusal(index, upload.name, upload.label, code="not_base64", detail=upload.refused)
            for index, upload in zip(indexes, uploads, strict=True)
        ]

    def _made(self, options: StoredOptions) -> Solver:
        if options.model not in self._recognizers:
            raise OptionError(f"expected a model among {', '.join(self._recognizers)}, received {options.model!r}")
        recognizer = self._recognizers[options.model]
        length = recognizer.length if options.length is None else options.length
        shortest, longest = (None, None) if length is None else parse_length(length)
        own = spelt(recognizer.alphabet) if recognizer.alphabet else None
        charset = own if options.charset is None else options.charset
        constraints = Constraints(charset, shortest, longest, options.fold_case, options.answer)
        return Solver(recognizer, constraints, parse_views(options.views, recognizer.views))


def _refusals(uploads: Sequence[Upload], indexes: Sequence[int], code: str, detail: str) -> list[Answer]:
    """The same answer for several images: none of them can be read, for one reason."""
    return [
        refusal(index, upload.name, upload.label, code=code, detail=detail)
        for index, upload in zip(indexes, uploads, strict=True)
    ]


def model_hashes(models: Sequence[str]) -> dict[str, str]:
    """Name -> SHA-256 of each bundle, without loading a network."""
    shipped = shipped_bundles()
    return {name: load_bundle(shipped.get(name, name)).sha256 for name in models}


def _bars(width_px: int) -> Rgb:
    """An image with something dark in it: four bars on white."""
    image = np.full((40, width_px, 3), 255, np.uint8)
    for bar in range(4):
        left = (bar * 2 + 1) * width_px // 9
        image[8:32, left : left + width_px // 18] = 20
    return image
