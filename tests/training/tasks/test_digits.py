"""The digit network and what it is trained on: its shape, its digits, its junk, its figures."""

import gzip
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from captcha_solver.charset import LOWER, UPPER, Charset
from captcha_solver.dataset import read_folder
from captcha_solver.errors import BundleError, DatasetError
from captcha_solver.models.bundle import Bundle
from captcha_solver.models.digits import build_digits
from captcha_solver.training.tasks import digits as training
from captcha_solver.training.tasks.digit_images import (
    STROKES,
    Digits,
    Ink,
    bar_seven,
    centred,
    digit_faces,
    has_hole,
    is_open_four,
    penned,
    printed,
    read_digits,
    vary,
)
from captcha_solver.training.tasks.junk import JUNK, LETTERS, SHARES, TWINS, Stock
from scripts.digits_report import figure, measure, table
from tests.models.test_bundle import write
from tests.paths import ROOT


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def stock() -> Stock:
    """Printed digits instead of written ones."""
    faces = tuple(digit_faces()[:4])
    images = np.stack([printed(face, str(d)) for face in faces for d in range(10)])
    return Stock(images, np.tile(np.arange(10, dtype=np.int32), len(faces)), faces)


def test_the_network_is_the_one_of_the_lecture() -> None:
    network = build_digits()
    convolutions = [network.get_layer(f"conv{i}") for i in range(1, 7)]
    assert [c.output.shape[1:] for c in convolutions] == [
        (24, 24, 20),
        (20, 20, 20),
        (16, 16, 20),
        (12, 12, 50),
        (8, 8, 50),
        (4, 4, 50),
    ]
    depths = [1, 20, 20, 20, 50, 50]
    assert [tuple(c.kernel.shape[:3]) for c in convolutions] == [(5, 5, depth) for depth in depths]
    assert network.output_shape == (None, 11)
    assert network.count_params() == sum(
        (25 * d + 1) * k for d, k in zip(depths, (20, 20, 20, 50, 50, 50), strict=True)
    ) + 11 * (4 * 4 * 50 + 1)


@pytest.mark.parametrize("kind", sorted(JUNK))
def test_junk_is_drawn_for_its_seed(stock: Stock, kind: str) -> None:
    one, same, other = (JUNK[kind](stock, rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (28, 28)
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, same)
    assert kind == "blank" or (one != other).any()
    assert kind == "blank" or all(JUNK[kind](stock, rng(seed)).max() > 50 for seed in range(20))


def test_junk_shares_are_whole_and_twins_are_no_junk() -> None:
    assert set(SHARES) == set(JUNK)
    assert sum(SHARES.values()) == pytest.approx(1)
    assert TWINS.issuperset("OolISZB")
    assert not TWINS & set(LETTERS)
    assert TWINS | set(LETTERS) == set(UPPER + LOWER)


@pytest.mark.parametrize("style", sorted(STROKES))
def test_a_drawn_digit_has_the_parts_its_style_names(style: str) -> None:
    drawn = [penned(style, rng(seed)) for seed in range(30)]
    assert {digit for digit, _ in drawn} == {int(style[-1])}
    holes = np.mean([has_hole(image) for _, image in drawn])
    assert holes > 0.8 if style == "closed 4" else holes < 0.2
    if style.endswith("open 4"):
        assert np.mean([is_open_four(image) for _, image in drawn]) > 0.6


def test_a_bar_crosses_the_stem_and_takes_no_ink_away() -> None:
    seven = penned("plain 7", rng(4))[1]
    barred = bar_seven(seven, rng(5))
    rows = np.flatnonzero((barred.astype(int) - seven).max(axis=1) > 60)
    assert rows.min() >= 8
    assert rows.max() <= 20
    assert (barred >= seven).all()
    assert bar_seven(np.zeros((28, 28), np.uint8), rng()).max() == 0


def test_centring_scales_the_longer_side_to_20_and_the_mass_to_the_middle() -> None:
    mask = np.zeros((90, 70), np.uint8)
    mask[10:70, 30:45] = 255
    out = centred(mask)
    assert (np.flatnonzero(out.max(axis=1)).size, np.flatnonzero(out.max(axis=0)).size) == (20, 5)
    moments = cv2.moments(out)
    assert moments["m10"] / moments["m00"] == pytest.approx(13.5, abs=0.6)
    assert moments["m01"] / moments["m00"] == pytest.approx(13.5, abs=0.6)
    assert centred(np.zeros((5, 5), np.uint8)).max() == 0


def test_varying_depends_on_the_seed_and_hardly_changes_at_strength_0(stock: Stock) -> None:
    varied = [vary(stock.images, rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(varied[0], varied[1])
    assert (varied[0] != varied[2]).any()
    still = vary(stock.images, rng(3), strength=0.0).astype(int)
    inner = np.abs(still - stock.images).mean()
    assert inner < 12  # a shift of a part of a pixel is all there may be


def test_a_batch_holds_digits_and_what_is_none(stock: Stock) -> None:
    images, labels = training.MakeDigits(stock, 400)(rng(8))
    assert images.shape == (400, 28, 28, 1)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int32
    assert set(labels.tolist()) == set(range(11))
    assert (labels == 0).mean() == pytest.approx(training.JUNK_SHARE, abs=0.08)
    again = training.MakeDigits(stock, 400)(rng(8))
    np.testing.assert_array_equal(images, again[0])


def test_no_family_is_both_trained_on_and_measured_with() -> None:
    from captcha_solver.designs.fonts import families

    trained, held = ({families()[face].family for face in part} for part in training.split_faces())
    assert len(held) >= 5
    assert not trained & held


def digit_folder(folder: Path, size: int = 28, label: str = "3") -> Path:
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), np.full((size, size), 200, np.uint8))
    (folder / "labels.csv").write_text(f"filename,label\na.png,{label}\n")
    return folder


def test_a_folder_of_digits_is_read(tmp_path: Path) -> None:
    digits = read_digits(digit_folder(tmp_path / "d"))
    assert digits.images.shape == (1, 28, 28)
    assert (digits.images == 200).all()
    assert digits.labels.tolist() == [3]
    assert len(digits.of(4)) == 0


@pytest.mark.parametrize(("size", "label"), [(32, "3"), (28, "x"), (28, "12")])
def test_a_folder_of_anything_else_is_refused(tmp_path: Path, size: int, label: str) -> None:
    with pytest.raises(DatasetError, match=f"28x28 image of one digit, received {size}x{size} labelled '{label}'"):
        read_digits(digit_folder(tmp_path / "d", size, label))


def test_too_few_digits_to_hold_some_out_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="at least 10000 digits, received 1"):
        training.digits_task(digit_folder(tmp_path / "d"), batch=8, workers=0)


class _Certain:
    """Stands for a network: the brightest pixel of row 0 names the class, its value how sure it is."""

    def __init__(self, bundle: Bundle) -> None:
        pass

    def run(self, batch: np.ndarray) -> np.ndarray:
        top = batch[:, 0, :11, 0]
        return (20 * top).astype(np.float32)


def told(classes: list[int], sure: list[float]) -> np.ndarray:
    images = np.zeros((len(classes), 28, 28), np.uint8)
    for i, (number, value) in enumerate(zip(classes, sure, strict=True)):
        images[i, 0, number] = round(255 * value)
    return images


def test_the_threshold_rejects_no_more_digits_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from captcha_solver.models.bundle import load_bundle

    monkeypatch.setattr(training, "OnnxRuntime", _Certain)
    folder = write(tmp_path / "b", kind="segmented", charset="0123456789")
    n = 1000
    held = told([d % 10 + 1 for d in range(n)], [0.2 + 0.8 * d / n for d in range(n)])
    junk = told([0] * 50 + [4] * 50, [1.0] * 50 + [0.9] * 50)
    labels = np.zeros(n, np.int32)

    class Task(training.DigitsTask):
        def heldout(self) -> list[tuple[np.ndarray, np.ndarray]]:
            return [(held[..., None], labels), (junk[..., None], labels[:100])]

    task = Task(Digits(held, labels), {})
    bundle = training.fit_threshold(task, load_bundle(folder))
    certainty = training.digit_certainty(_Certain(bundle).run(held[..., None] / np.float32(255)))
    rejected = (certainty < bundle.settings["reject_below"]).mean()
    assert 0 < rejected <= 0.007
    assert bundle.card["rejection"]["held_out_junk"] == 0.5
    assert load_bundle(folder).settings["reject_below"] == bundle.settings["reject_below"]


def test_a_figure_carries_its_count_and_interval() -> None:
    row = figure("some", np.array([True] * 9 + [False]))
    assert (row.n, row.good) == (10, 9)
    assert [row.low, row.high] == pytest.approx([0.5958, 0.9821], abs=1e-4)
    assert table([row]).splitlines()[-1] == "| some | 10 | 9 | 90.00% | 59.58% - 98.21% |"


@pytest.mark.parametrize(("charset", "settings"), [("abc", {"reject_below": 0.5}), ("0123456789", {"glyph_px": 28})])
def test_only_a_digits_bundle_is_measured(charset: str, settings: Mapping[str, float]) -> None:
    bundle = Bundle(Path("x"), "segmented", Charset(charset), settings, 1.0, {}, "0" * 64)
    nothing: Ink = np.zeros((0, 28, 28), np.uint8)
    with pytest.raises(BundleError, match="a digits bundle with a rejection threshold"):
        measure(bundle, Digits(nothing, np.zeros(0, np.int32)))


def idx(folder: Path, name: str, magic: int, values: np.ndarray) -> None:
    head = struct.pack(f">{values.ndim + 1}I", magic, *values.shape)
    (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(head + values.tobytes()))


def convert(idx_folder: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "datasets" / "external" / "mnist.py")]
    options = ["--idx", str(idx_folder), "--out", str(out), "--split", "test"]
    return subprocess.run([*command, *options], capture_output=True, text=True, check=False)


def test_idx_files_become_a_folder(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    idx(tmp_path, "t10k-images-idx3", 2051, images)
    idx(tmp_path, "t10k-labels-idx1", 2049, np.array([7, 0, 4], np.uint8))
    done = convert(tmp_path, tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, f"3 digits in {tmp_path / 'out'}\n")
    digits = read_digits(tmp_path / "out")
    np.testing.assert_array_equal(digits.images, images)
    assert [sample.text for sample in read_folder(tmp_path / "out")] == ["7", "0", "4"]


def test_idx_files_that_are_cut_short_are_refused(tmp_path: Path) -> None:
    idx(tmp_path, "t10k-images-idx3", 2051, np.zeros((3, 28, 28), np.uint8))
    data = gzip.decompress((tmp_path / "t10k-images-idx3-ubyte.gz").read_bytes())[:-5]
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(data))
    done = convert(tmp_path, tmp_path / "out")
    assert done.returncode == 1
    assert "whole data" in done.stderr
