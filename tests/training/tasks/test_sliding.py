"""The sliding task: sources are weighed and checked, strips carry their labels, few labels are split soundly."""

from pathlib import Path

import numpy as np
import pytest

from captcha_solver.charset import NAMED, Charset
from captcha_solver.dataset import write_folder
from captcha_solver.designs.drawing.draw import draw
from captcha_solver.designs.load import load_design
from captcha_solver.errors import CaptchaSolverError, DatasetError, DesignError, OptionError
from captcha_solver.image import encode_png
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.models.sliding import NETWORKS, SlidingSize, build_sliding
from captcha_solver.sliding.strip import SlideSettings
from captcha_solver.training.augment import augment
from captcha_solver.training.learner import predict, take_weights
from captcha_solver.training.sources import Mixture, Source, folder_samples, parse_source
from captcha_solver.training.tasks.sliding import WIDTHS, MakeStrips, SlidingTask, fits, widened
from captcha_solver.types import Sample

ALNUM = Charset(NAMED["alnum"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    design, rng = load_design("plain"), np.random.default_rng(0)
    drawings = [draw(design, None, rng) for _ in range(40)]
    samples = [Sample(f"{i:03}", encode_png(d.image), d.text, "plain") for i, d in enumerate(drawings)]
    write_folder(samples, tmp_path / "set")
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("text", "spec", "weight"),
    [
        ("classic", "classic", 1.0),
        ("classic:2.5", "classic", 2.5),
        ("a/b.toml", "a/b.toml", 1.0),
        ("odd:x", "odd:x", 1.0),
    ],
)
def test_a_source_may_carry_a_weight(text: str, spec: str, weight: float) -> None:
    assert parse_source(text) == Source(spec, weight)


def test_a_weight_must_be_positive() -> None:
    with pytest.raises(OptionError, match="weight above 0"):
        parse_source("classic:0")


def test_training_images_become_wider_and_narrower_within_the_bounds_and_keep_their_height() -> None:
    rng, image = np.random.default_rng(3), np.zeros((40, 200, 3), np.uint8)
    shapes = [widened(image, rng).shape for _ in range(300)]
    assert {shape[0] for shape in shapes} == {40}
    widths = np.array([shape[1] for shape in shapes]) / 200
    assert WIDTHS[0] - 0.01 <= widths.min() < 0.75
    assert 1.3 < widths.max() <= WIDTHS[1] + 0.01
    assert 0.4 < (widths < 1).mean() < 0.6  # as often narrower as wider


def test_texts_of_two_rows_are_trained_on_in_one_line() -> None:
    images = Mixture((Source("double-deck"),), ALNUM).images(np.random.default_rng(0), 60, heldout=True)
    assert 30 < len(images) <= 60  # a few rows cannot be told apart
    assert all(image.shape[0] < 60 for image, _ in images)  # the canvas is 80 high, a row about half of it


def test_strips_are_grouped_by_width_and_labels_are_ids_of_their_texts() -> None:
    make = MakeStrips(Mixture((Source("classic"),), ALNUM), SlideSettings(), batch=8, batches=3)
    batches = make(np.random.default_rng(1))
    assert [x.shape[0] for x, _ in batches] == [8, 8, 8]
    for x, y in batches:
        assert x.dtype == np.uint8
        assert x.shape[1] == 40
        assert x.shape[2] % 16 == 0
        assert y.shape[1] == 20
        assert ((y > 0).sum(axis=1) == 4).all()
        assert {ALNUM.decode(row.tolist()).isalnum() for row in y} == {True}
    again = make(np.random.default_rng(1))
    np.testing.assert_array_equal(batches[0][0], again[0][0])


def test_weights_decide_how_often_a_source_is_drawn_from() -> None:
    mixture = Mixture((Source("tilted", 3.0), Source("plain", 1.0)), ALNUM)
    images = mixture.images(np.random.default_rng(0), 400)
    narrow = sum(image.shape[1] == 150 for image, _ in images)  # tilted is 150 wide, plain 160
    assert len(images) == 400
    assert 260 <= narrow <= 340


@pytest.mark.parametrize(
    ("text", "width", "does"), [("abcd", 16, True), ("abcd", 15, False), ("aa", 8, False), ("aa", 12, True)]
)
def test_a_text_must_fit_its_strip(text: str, width: int, does: bool) -> None:
    assert fits(text, width) is does  # a step is 4 columns, equal neighbours need a blank between them


def test_held_out_samples_are_never_trained_on(folder: Path) -> None:
    training, held = folder_samples(str(folder), None)
    assert len(training) + len(held) == 40
    assert len(held) == 2
    assert not {s.id for s in training} & {s.id for s in held}
    few, few_held = folder_samples(str(folder), 20)
    assert (len(few), len(few_held)) == (16, 4)


def test_a_folder_with_too_few_labels_is_refused(folder: Path) -> None:
    with pytest.raises(DatasetError, match="at least 5 labelled images"):
        folder_samples(str(folder), 3)


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("no-such-design", DesignError, "no design"),
        ("external-pypi-captcha", OptionError, "is a command"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused_at_once(
    source: str, error: type[CaptchaSolverError], says: str
) -> None:
    with pytest.raises(error, match=says):
        SlidingTask.from_sources([source], labels=None, batch=4, workers=0)


def test_labels_outside_the_charset_are_refused(folder: Path) -> None:
    mixture = Mixture((Source(str(folder)),), Charset("0123456789"))
    with pytest.raises(DatasetError, match="which the charset '0123456789' lacks"):
        mixture.check()


def test_held_out_batches_are_the_same_at_every_call(folder: Path) -> None:
    task = SlidingTask.from_sources(["plain", str(folder)], labels=None, batch=4, workers=0)
    task.heldout_images = 64
    first, second = task.heldout(), task.heldout()
    for (x1, y1), (x2, y2) in zip(first, second, strict=True):
        np.testing.assert_array_equal(x1, x2)
        np.testing.assert_array_equal(y1, y2)


def test_augmented_images_keep_their_shape_and_differ() -> None:
    image = draw(load_design("classic"), "abcd", np.random.default_rng(0)).image
    views = [augment(image, np.random.default_rng(seed)) for seed in range(20)]
    assert {view.shape for view in views} == {image.shape}
    assert {view.dtype for view in views} == {np.dtype(np.uint8)}
    assert sum((view != image).any() for view in views) >= 15


@pytest.mark.slow
def test_a_deeper_network_that_takes_the_weights_of_a_shallower_one_answers_the_same() -> None:
    shallow = build_sliding(16, 5, SlidingSize(8, 8, 16, 16, 16))
    rng = np.random.default_rng(0)
    shallow.set_weights([w + rng.uniform(0, 0.3, w.shape).astype(np.float32) for w in shallow.get_weights()])
    size = SlidingSize(8, 8, 16, 16, 16, further=(1, 2, 1), kernels=(3, 5, 5), gates=True, attention=True)
    deep = build_sliding(16, 5, size)
    take_weights(deep, shallow, load_bundle(shipped_bundles()["sliding"]))
    strips = rng.random((2, 16, 64, 3), np.float32)
    np.testing.assert_allclose(predict(deep, strips), predict(shallow, strips), atol=1e-4)
    for layer in deep.layers:  # and what is new does take part, once it has learnt something
        if layer.name.endswith("_norm"):
            layer.gamma.assign(np.ones(layer.gamma.shape))
    assert np.abs(predict(deep, strips) - predict(shallow, strips)).max() > 0.01


@pytest.mark.slow
def test_a_network_may_be_named_beside_a_start_and_must_be_known() -> None:
    start = load_bundle(shipped_bundles()["sliding"])
    assert SlidingTask.from_sources(["plain"], labels=None, batch=4, workers=0, start=start).network is None
    task = SlidingTask.from_sources(["plain"], labels=None, batch=4, workers=0, start=start, network="small")
    assert task.build().get_layer("block1_conv1").filters == NETWORKS["small"].block1
    with pytest.raises(OptionError, match="a network out of base, small, deep, received 'huge'"):
        SlidingTask.from_sources(["plain"], labels=None, batch=4, workers=0, network="huge")
