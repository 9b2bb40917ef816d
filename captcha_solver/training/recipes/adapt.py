"""Adapts a sliding model to a design from images without labels: what all views of an image agree on is its label.

Self-training with the agreement of views as the filter (Lee 2013, "Pseudo-Label"; Sohn et al. 2020, "FixMatch"), and
drawn images replayed beside them. Rounds go on for as long as the views of held-out images agree more often.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from captcha_solver.attempt import attempt
from captcha_solver.charset import parse_charset
from captcha_solver.dataset import writable_folder, write_folder
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import load_design
from captcha_solver.errors import BundleError, DatasetError
from captcha_solver.folders.contents import look_into
from captcha_solver.image import encode_png, read_file, read_image
from captcha_solver.models.bundle import MANIFEST, Bundle, load_bundle
from captcha_solver.models.runtimes import load_runtime
from captcha_solver.models.save import amend_bundle
from captcha_solver.recognizers import Sliding, load_recognizer
from captcha_solver.solver import CHUNK, Solver, load_solver
from captcha_solver.statistics import Change, paired_change
from captcha_solver.text_prior import FLOOR, TextPrior, prior_from
from captcha_solver.texts import same_text
from captcha_solver.training.checkpoint import FOLDER
from captcha_solver.training.finishing.calibration import Calibration
from captcha_solver.training.finishing.int8 import add_int8
from captcha_solver.training.loop import train
from captcha_solver.training.recipes.few_labels import BATCH, LAYER_DECAY, NEVER, RATE, RECIPE, with_replay
from captcha_solver.training.sources import Fold
from captcha_solver.training.task import Settled, TrainSettings, as_float
from captcha_solver.training.tasks.sliding import SlidingTask
from captcha_solver.types import Reading, Rgb, Sample
from captcha_solver.voting import NAMES, Viewed, agreeing, vote

ROUNDS = 3
FEWEST_IMAGES, FEWEST_TRUSTED = 30, 12
HELDOUT_SHARE, FEWEST_HELDOUT = 0.2, 10
SECOND_SIZE = 0.1  # of the images have another size than most: these are two designs
FEW_SIZES = 4  # a design that draws every image in a size of its own has more
UNLIKELY = 0.1  # a length that is read so seldom, over the commonest one, is not trusted
OFTEN_ENOUGH = 5 * FLOOR  # a length that is read so often, over the commonest one, is one of the design's
SOFTER = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0)  # temperatures that are tried, over the start's
VIEWS_BELOW = 0.99  # an adapted model is surer than it is right: nearly all of its images are read in all views
SHOWN_IMAGES = 256  # that the exports are checked with
DRAWN, DRAWN_DESIGN, DRAWN_SEED = 200, "wild", 987_654_331  # no training seed draws from this stream
MAY_LOSE = 0.1  # of all drawn images: what is given up of other designs for this one

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AdaptSettings:
    """``minutes`` are for all rounds together, reading aside. ``infer``: see ``Solver.inferring``."""

    minutes: float = 10.0
    rounds: int = ROUNDS
    seed: int = 0
    workers: int = 1
    infer: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What a model makes of images: of each, the vote of all views, and the share (0-1) of them that agree with it."""

    readings: tuple[Reading, ...]
    shares: tuple[float, ...]
    prior: TextPrior

    @property
    def agreement(self) -> float:
        """The mean share of the views that agree, 0-1."""
        return sum(self.shares) / max(1, len(self.shares))


@dataclass(frozen=True, slots=True)
class Round:
    """A round's figures: how many images were trusted, and the agreement on held-out ones after it."""

    trusted: int
    agreement: float


def adapt(folder: Path, out: Path, start: Bundle, settings: AdaptSettings, tell: Tell = lambda text: None) -> Bundle:
    """A bundle that reads the design of ``folder``, whose images need no labels, better than ``start``.

    ``DatasetError`` where the images are too few, of two designs, or read too differently to start from;
    ``BundleError`` where no round made the model better, or drawn images are read worse. The same call resumes it.
    """
    if (out / MANIFEST).exists():
        raise BundleError(f"{out} holds a finished bundle already; choose another --out, or delete it")
    if start.kind != "sliding":
        raise BundleError(f"expected a sliding bundle to adapt, received {start.kind}: {start.path}")
    pool, held = _parted(_images(folder))
    workplace = writable_folder(out) / FOLDER
    best, before = start, look(start, [image for _, image in held], settings)
    first = before.agreement
    rounds: list[Round] = []
    for number in range(1, settings.rounds + 1):
        trusted = _trusted(pool, look(best, [image for _, image in pool], settings))
        if len(trusted) < FEWEST_TRUSTED:
            if rounds:
                break
            raise DatasetError(
                f"{folder}: expected at least {FEWEST_TRUSTED} images that are read alike in all {len(NAMES)} views, "
                f"received {len(trusted)} of {len(pool)}: too little agreement to start from; label some images"
            )
        made = _trained(best, trusted, workplace / f"round{number}", settings, number)
        after = look(made, [image for _, image in held], settings)
        tell(f"round {number}: {len(trusted)} of {len(pool)} images trusted, agreement on {len(held)} held-out ones "
             f"{before.agreement:.1%} -> {after.agreement:.1%}")  # fmt: skip
        if after.agreement <= before.agreement:
            break
        best, before = made, after
        rounds.append(Round(len(trusted), after.agreement))
    if best is start:
        raise BundleError(f"no round read the held-out images of {folder} more alike than before: nothing was written")
    drawn = compared(start, best)
    if drawn.ci95[1] < -MAY_LOSE:
        raise BundleError(
            f"the adapted model reads {-drawn.value:.1%} fewer of {DRAWN} drawn images than {start.name}: nothing "
            "was written"
        )
    card = {
        "adapted": {
            "from": start.sha256,
            "images": len(pool),
            "heldout": len(held),
            "agreement_before": first,
            "rounds": [asdict(each) for each in rounds],
            "infer": settings.infer,
            "inferred": asdict(before.prior) if settings.infer else None,
            "drawn_change": drawn.value,
            "drawn_ci95": list(drawn.ci95),
        }
    }
    best = _calibrated(best, [image for _, image in held], before.agreement)
    return _finished(best, out, card, before.prior if settings.infer else TextPrior())


def look(bundle: Bundle, images: Sequence[Rgb], settings: AdaptSettings) -> Look:
    """Read ``images`` (H, W, 3) uint8 in all views."""
    solver = load_solver(bundle.path, views=str(len(NAMES)))
    seen = _seen(solver, images)
    if settings.infer:
        solver = solver.knowing(prior_from([vote(each, solver.views.fit) for each in seen]))
        seen = _seen(solver, images)
    voted = tuple(vote(each, solver.views.fit, solver.prior.weight) for each in seen)
    shares = tuple(agreeing(views, best.text) for views, best in zip(seen, voted, strict=True))
    return Look(voted, shares, solver.prior)


def compared(start: Bundle, made: Bundle) -> Change:
    """How many more of the same drawn images ``made`` reads than ``start``, as a share, with its interval."""
    drawings = draw_batch(load_design(DRAWN_DESIGN), [None] * DRAWN, np.random.default_rng(DRAWN_SEED))
    return paired_change(*(_right(bundle, [(each.image, each.text) for each in drawings]) for bundle in (start, made)))


def _right(bundle: Bundle, images: Sequence[tuple[Rgb, str]]) -> list[bool]:
    solver = Solver(load_recognizer(bundle.path))
    found = solver.solve_batch([encode_png(image) for image, _ in images])
    return [same_text(text, each.text, fold_case=True) for (_, text), each in zip(images, found, strict=True)]


def _seen(solver: Solver, images: Sequence[Rgb]) -> list[list[Viewed]]:
    parts = (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))
    return [views for part in parts for views in solver.views_of(part)]


def _images(folder: Path) -> list[tuple[Sample, Rgb]]:
    """The readable images of a folder, ordered by their content; ``DatasetError`` where they cannot be adapted to."""
    samples = [Sample(path.name, read_file(path), "", folder.name) for path in look_into(folder).files]
    read = [(each, attempt(read_image, each.image).value) for each in samples]
    found = [(sample, image) for sample, image in read if image is not None]
    if len(found) < FEWEST_IMAGES:
        raise DatasetError(f"{folder}: expected at least {FEWEST_IMAGES} images to adapt to, received {len(found)}")
    sizes = Counter(image.shape[:2] for _, image in found).most_common()
    if 1 < len(sizes) <= FEW_SIZES and sizes[1][1] >= SECOND_SIZE * len(found):
        named = " and ".join(f"{count} of {width}x{height} px" for (height, width), count in sizes[:2])
        raise DatasetError(f"{folder}: expected images of one design, received {named}: give each a folder of its own")
    return sorted(found, key=lambda pair: hashlib.sha256(pair[0].image).digest())


def _parted(images: Sequence[tuple[Sample, Rgb]]) -> tuple[list[tuple[Sample, Rgb]], list[tuple[Sample, Rgb]]]:
    """(learnt from, held out)."""
    held = max(FEWEST_HELDOUT, round(HELDOUT_SHARE * len(images)))
    return list(images[held:]), list(images[:held])


def _trusted(pool: Sequence[tuple[Sample, Rgb]], seen: Look) -> list[Sample]:
    """The images that all views read alike, with what they read as their label."""
    return [
        replace(sample, text=reading.text)
        for (sample, _), reading, share in zip(pool, seen.readings, seen.shares, strict=True)
        if share == 1 and seen.prior.weight(reading) > UNLIKELY
    ]


def _trained(start: Bundle, trusted: Sequence[Sample], folder: Path, settings: AdaptSettings, number: int) -> Bundle:
    """A round: the start, trained further on what it trusts; kept in ``folder``, where it is found again."""
    made = folder / "bundle"
    if (made / MANIFEST).is_file():  # of a call that was cut off later
        return load_bundle(made)
    if not (folder / "trusted" / "labels.csv").is_file():
        shutil.rmtree(folder / "trusted", ignore_errors=True)
        write_folder(trusted, folder / "trusted")
    task = _task(folder / "trusted", start, settings.workers)
    how = TrainSettings(
        minutes=settings.minutes / settings.rounds,
        batch=BATCH,
        learning_rate=RATE,
        layer_decay=LAYER_DECAY,
        validate_every=NEVER,
        seed=settings.seed + number,
        workers=settings.workers,
        recipe=RECIPE,
    )
    settled = Settled(Calibration(start.temperature, 0, 0.0, 0.0), {})
    return train(task, made, how, start_from=start, settled=settled, int8=False)


def _task(folder: Path, start: Bundle, workers: int) -> SlidingTask:
    task = SlidingTask.from_sources(
        [str(folder)], labels=None, batch=BATCH, workers=workers, start=start, recipe=RECIPE
    )
    task = with_replay(task)
    return replace(task, mixture=replace(task.mixture, fold=Fold(0, 1)), heldout_images=SHOWN_IMAGES)


def _calibrated(bundle: Bundle, images: Sequence[Rgb], agreement: float) -> Bundle:
    """The bundle, as sure of held-out images as their views agree: what was learnt from one's own answers is too sure.

    Its temperature is the one of a few at which its mean confidence comes closest; further views are read more often.
    """
    runtime = load_runtime(bundle)
    encoded = [encode_png(image) for image in images]
    gaps = {}
    for factor in SOFTER:
        softer = replace(bundle, temperature=bundle.temperature * factor)
        solved = Solver(Sliding(softer, runtime)).solve_batch(encoded)
        gaps[softer.temperature] = abs(float(np.mean([each.confidence for each in solved])) - agreement)
    fit = replace(bundle.views, below=VIEWS_BELOW)
    return amend_bundle(bundle, temperature=min(gaps, key=gaps.__getitem__), views=fit)


def _finished(best: Bundle, out: Path, card: Mapping[str, object], prior: TextPrior) -> Bundle:
    """The best round's bundle in its place, with its int8 network where that reads as well.

    It looks for what was inferred of the texts: their characters, and their length where they have one.
    """
    task = _task(best.path.parent / "trusted", best, 1)
    best = add_int8(task, best, [(as_float(x), y) for x, y in task.heldout()])
    usual = [length for length, share in prior.lengths.items() if share > OFTEN_ENOUGH]
    alphabet = None if prior.charset is None else parse_charset(prior.charset).symbols
    best = amend_bundle(best, card=card, length=str(usual[0]) if len(usual) == 1 else None, alphabet=alphabet)
    files = [each for each in best.path.iterdir() if each.is_file() and each.name != MANIFEST]
    for file in [*files, best.path / MANIFEST]:  # the manifest last: half a bundle is none
        shutil.copy2(file, out / file.name)
    shutil.rmtree(out / FOLDER, ignore_errors=True)
    return load_bundle(out)
