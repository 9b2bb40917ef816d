"""Few labels: folds hold each image out once, cross-validation chooses, lower layers learn more slowly."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captcha_solver.charset import NAMED, Charset
from captcha_solver.dataset import read_folder
from captcha_solver.designs.drawing.draw import draw_run
from captcha_solver.designs.load import load_design
from captcha_solver.image import encode_png
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.models.runtimes import import_keras
from captcha_solver.sliding.strip import SlideSettings
from captcha_solver.training.learner import layer_rates, layerwise_adamw
from captcha_solver.training.recipes import few, few_labels
from captcha_solver.training.recipes.few import FoldReading, choose, held_out, is_few
from captcha_solver.training.run import TrainOptions, TrainRequest, run
from captcha_solver.training.sources import Fold, Mixture, Source, folder_samples
from captcha_solver.training.tasks.sliding import SlidingTask


def labelled(folder: Path, count: int, *, broken: int = 0, design: str = "plain") -> Path:
    """``count`` drawn images with their texts, the first ``broken`` of them unreadable."""
    folder.mkdir()
    rows = ["filename,label"]
    for number, drawing in zip(range(count), draw_run(load_design(design), 11), strict=False):
        data = b"no image" if number < broken else encode_png(drawing.image)
        (folder / f"{number:03}.png").write_bytes(data)
        rows.append(f"{number:03}.png,{drawing.text}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def task(folder: Path, fold: Fold, labels: int | None = None) -> SlidingTask:
    mixture = Mixture((Source(str(folder)),), Charset(NAMED["alnum"]), labels, fold)
    return SlidingTask(mixture, SlideSettings(), 4, 0)


def test_folds_hold_every_image_out_once_and_train_on_the_others(tmp_path: Path) -> None:
    folder = str(labelled(tmp_path / "f", 11))
    parts = [folder_samples(folder, None, Fold(k, 3)) for k in range(3)]
    held = [sample.id for _, out in parts for sample in out]
    assert sorted(held) == [f"{i:03}.png" for i in range(11)]
    for training, out in parts:
        assert not {s.id for s in training} & {s.id for s in out}
        assert len(training) + len(out) == 11
    everything, shown = folder_samples(folder, None, Fold(0, 1))
    assert len(everything) == len(shown) == 11


def test_labels_limit_what_the_folds_share(tmp_path: Path) -> None:
    folder = str(labelled(tmp_path / "f", 11))
    held = [sample.id for k in range(3) for sample in folder_samples(folder, 7, Fold(k, 3))[1]]
    assert len(held) == len(set(held)) == 7


def test_what_is_held_out_is_read_as_it_is_and_unreadable_images_are_left_out(tmp_path: Path) -> None:
    made = task(labelled(tmp_path / "f", 9, broken=2), Fold(0, 1))
    batches = held_out(made)
    texts = ["".join(made.charset.decode(ids.tolist())) for _, labels in batches for ids in labels]
    assert sum(len(strips) for strips, _ in batches) == 7
    readable = [s.text for s in read_folder(tmp_path / "f") if s.image != b"no image"]
    assert sorted(texts) == sorted(readable)
    assert len({strips.shape[2] for strips, _ in batches}) == len(batches), "a batch for each width"


def check(steps: int, right: int, of: int) -> FoldReading:
    """A check that read ``right`` of ``of`` one-character texts."""
    logits = np.zeros((of, 1, 3), np.float32)
    logits[:right, 0, 1], logits[right:, 0, 2] = 5, 5
    return FoldReading(steps, [(logits, np.ones((of, 1), np.int32))])


def test_the_number_of_steps_is_the_one_that_reads_most_over_all_folds() -> None:
    folds = [[check(10, 1, 4), check(20, 4, 4), check(30, 2, 4)], [check(12, 2, 4), check(24, 3, 4), check(36, 4, 4)]]
    steps, settled = choose(folds)
    assert steps == 22
    figures = settled.card["cross_validation"]
    assert (figures["right"], figures["n"], figures["folds"], figures["steps"]) == (7, 8, 2, 22)
    assert figures["ci95"][0] < 7 / 8 < figures["ci95"][1]
    assert settled.calibration.n == 8


def test_a_curve_that_still_rises_is_given_all_the_time_there_is() -> None:
    steps, _ = choose([[check(10, 1, 4), check(20, 4, 4)], [check(10, 1, 4), check(20, 4, 4)]])
    assert steps is None


def test_the_length_of_all_labels_is_learnt_where_they_are_enough_to_tell() -> None:
    assert few_labels.shared_length(["abcd"] * few_labels.TELLING) == "4"
    assert few_labels.shared_length(["abcd"] * (few_labels.TELLING - 1)) is None
    assert few_labels.shared_length(["abcd"] * few_labels.TELLING + ["abcde"]) is None


@pytest.mark.parametrize(
    ("labels", "alphabet"),
    [
        (["0011"] * 20, "01"),
        (["aB"] * 19 + ["aC"], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),  # C once: there may be others
        (["1234567890"] * 2 + ["11"] * 18, "0123456789"),  # each twice, but not often
        (["ab"] * 19, None),
    ],
)
def test_the_characters_of_the_texts_are_learnt_from_the_labels(labels: list[str], alphabet: str | None) -> None:
    assert few_labels.alphabet(labels) == alphabet


def test_few_are_folders_alone_with_not_too_many_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Source(str(labelled(tmp_path / "f", 12)))
    assert is_few([folder], None)
    assert not is_few([folder, Source("plain")], None)
    monkeypatch.setattr(few, "FEW", 10)
    assert not is_few([folder], None)
    assert is_few([folder], 8)


def test_lower_layers_learn_more_slowly_and_a_norm_goes_with_its_layer() -> None:
    keras = import_keras()
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(4, name="low"),
            keras.layers.BatchNormalization(name="low_norm"),
            keras.layers.Dense(4, name="middle"),
            keras.layers.Dense(1, name="top"),
        ]
    )
    rates = layer_rates(model, 0.5)
    assert rates == [0.25] * 4 + [0.5] * 2 + [1.0] * 2
    optimizer = layerwise_adamw(keras, rates, learning_rate=0.1)
    model.compile(optimizer=optimizer, loss="mse")
    before = [v.numpy().copy() for v in model.trainable_variables]
    x = np.random.default_rng(0).random((8, 4), np.float32)
    model.train_on_batch(x, 5 + x[:, :1])
    moved = [np.abs(v.numpy() - b).max() for v, b in zip(model.trainable_variables, before, strict=True)]
    assert moved[-1] == pytest.approx(0.1, rel=0.01)  # Adam's first step is the rate itself
    assert moved[4] == pytest.approx(0.05, rel=0.02)
    assert max(moved[:4]) == pytest.approx(0.025, rel=0.02)
    assert type(layerwise_adamw(keras, layer_rates(model, 1.0), learning_rate=0.1)) is keras.optimizers.AdamW


@pytest.mark.slow
def test_a_few_labels_make_a_bundle_whose_card_has_the_cross_validated_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(few, "CHECKS", 2)
    monkeypatch.setattr(few, "PROOF_IMAGES", 64)
    monkeypatch.setattr(few_labels, "TELLING", 8)
    folder, out = labelled(tmp_path / "f", 9, design="note"), tmp_path / "out"
    request = TrainRequest((str(folder),), out, "sliding", "sliding", 8, TrainOptions(max_steps=8, batch=4, workers=0))
    path = run(request)
    bundle = load_bundle(path)
    figures = bundle.card["cross_validation"]
    assert (figures["n"], figures["folds"]) == (8, 3)
    assert bundle.length == str(load_design("note").lettering.min_length)
    assert bundle.alphabet == load_design("note").lettering.charsets[0], "eight labels name no smaller one"
    assert figures["right"] >= 4, "large print, which the shipped model reads"
    assert bundle.card["training"]["settings"]["layer_decay"] == few_labels.LAYER_DECAY
    assert [source["source"] for source in bundle.card["data"]["sources"]] == [str(folder), few_labels.REPLAY]
    assert bundle.card["training"]["from"] == load_bundle(shipped_bundles()["sliding"]).sha256
    rows = [json.loads(line) for line in (out / "train.log").read_text(encoding="utf-8").splitlines()]
    assert [row["fold"] for row in rows if "fold" in row] == [0, 1, 2], "one step a fold is read once"
    assert (figures["steps_taken"], bundle.card["training"]["steps"]) == ([1, 1, 1], 5), "eight steps were asked for"


@pytest.mark.slow
def test_an_interrupted_fine_tuning_does_not_cross_validate_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    folds: list[int] = []

    def fold(made: SlidingTask, k: int, *_: object) -> list[FoldReading]:
        folds.append(k)
        return [check(1, 1, 2), check(2, 2, 2)]

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    folder = labelled(tmp_path / "f", 9)
    request = TrainRequest(
        (str(folder),), out, "sliding", "sliding", None, TrainOptions(max_steps=8, batch=4, workers=0)
    )
    monkeypatch.setattr(few, "_fold", fold)
    monkeypatch.setattr(few, "train", stopped)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(replace(request))
    assert folds == [0, 1, 2]
