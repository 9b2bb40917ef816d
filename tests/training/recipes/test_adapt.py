"""Adapting without labels: what is trusted, when it ends, and what is refused."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captcha_solver.dataset import read_folder
from captcha_solver.designs.drawing.draw import draw_run
from captcha_solver.designs.load import load_design
from captcha_solver.errors import BundleError, DatasetError
from captcha_solver.image import encode_png
from captcha_solver.models.bundle import Bundle, load_bundle, shipped_bundles
from captcha_solver.models.save import amend_bundle
from captcha_solver.statistics import Change
from captcha_solver.text_prior import TextPrior
from captcha_solver.training.recipes import adapt as adapting
from captcha_solver.training.recipes.adapt import AdaptSettings, Look, adapt, compared, look
from captcha_solver.types import Character, Reading, Rgb, Sample

COUNT = 40


@pytest.fixture(scope="module")
def sliding() -> Bundle:
    return load_bundle(shipped_bundles()["sliding"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plain images without labels."""
    there = tmp_path_factory.mktemp("plain")
    for number, drawing in zip(range(COUNT), draw_run(load_design("plain"), 3), strict=False):
        (there / f"{number}.png").write_bytes(encode_png(drawing.image))
    return there


def reading(text: str) -> Reading:
    return Reading(text, tuple(Character(char, 1.0, (0, 1)) for char in text), 0.9)


class Script:
    """Stands for reading and training: what is agreed on after each round is told beforehand."""

    def __init__(self, agreement: Sequence[float], patch: pytest.MonkeyPatch, drawn: float = 0.0) -> None:
        self.agreement = list(agreement)
        self.trusted: list[list[Sample]] = []
        patch.setattr(adapting, "look", self.look)
        patch.setattr(adapting, "train", self.train)
        patch.setattr(adapting, "add_int8", lambda task, bundle, heldout: bundle)
        patch.setattr(adapting, "compared", lambda start, made: Change(drawn, (drawn - 0.02, drawn + 0.02)))

    def look(self, bundle: Bundle, images: Sequence[Rgb], settings: AdaptSettings) -> Look:
        pool = len(images) > COUNT / 2
        share = 0.75 if pool else self.agreement.pop(0)
        shares = tuple(float(place < share * len(images)) for place in range(len(images)))
        return Look(tuple(reading("1234") for _ in images), shares, TextPrior("digits", {4: 1.0}))

    def train(self, task: Any, out: Path, *given: Any, **options: Any) -> Bundle:
        folder = Path(task.mixture.sources[0].spec)
        self.trusted.append(read_folder(folder))
        shutil.copytree(shipped_bundles()["sliding"], out)
        return amend_bundle(load_bundle(out), card={"round": len(self.trusted)})


def test_rounds_go_on_while_the_views_agree_more_often(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, sliding: Bundle
) -> None:
    script = Script([0.2, 0.5, 0.6, 0.6], monkeypatch)
    told: list[str] = []
    bundle = adapt(folder, tmp_path / "b", sliding, AdaptSettings(rounds=5, infer=True), told.append)
    assert len(script.trusted) == 3, "the third round is no better, and ends it"
    assert bundle.card["round"] == 2, "the second round's model is kept"
    assert (bundle.length, bundle.alphabet) == ("4", "0123456789")
    assert bundle.temperature > sliding.temperature, "it is to be as sure as its views agree: 60 %"
    assert bundle.views.below == 0.99
    known = bundle.card["adapted"]
    assert (known["images"], known["heldout"], known["from"]) == (30, 10, sliding.sha256)
    assert known["agreement_before"] == 0.2
    assert [each["agreement"] for each in known["rounds"]] == [0.5, 0.6]
    assert [each["trusted"] for each in known["rounds"]] == [23, 23]
    assert {sample.text for sample in script.trusted[0]} == {"1234"}
    assert "23 of 30 images trusted" in told[0]
    assert sorted(each.name for each in bundle.path.iterdir()) == sorted(
        each.name for each in sliding.path.iterdir() if each.name != "curves.png"
    )


def test_without_inferring_a_bundle_is_told_nothing_of_the_texts(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, sliding: Bundle
) -> None:
    Script([0.2, 0.5], monkeypatch)
    bundle = adapt(folder, tmp_path / "b", sliding, AdaptSettings(rounds=1))
    assert (bundle.length, bundle.alphabet) == (None, None)
    assert bundle.card["adapted"]["inferred"] is None


def test_a_model_that_does_not_get_better_is_not_written(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, sliding: Bundle
) -> None:
    Script([0.5, 0.5], monkeypatch)
    with pytest.raises(BundleError, match="no round read the held-out images"):
        adapt(folder, tmp_path / "b", sliding, AdaptSettings())
    Script([0.5, 0.6, 0.6], monkeypatch, drawn=-0.2)
    with pytest.raises(BundleError, match=r"20.0% fewer of 200 drawn images"):
        adapt(folder, tmp_path / "c", sliding, AdaptSettings())
    assert not (tmp_path / "c" / "bundle.json").exists()


def test_too_few_images(tmp_path: Path, sliding: Bundle, folder: Path) -> None:
    for file in sorted(folder.iterdir())[:5]:
        shutil.copy(file, tmp_path)
    with pytest.raises(DatasetError, match="at least 30 images to adapt to, received 5"):
        adapt(tmp_path, tmp_path / "b", sliding, AdaptSettings())


def test_images_of_two_designs(tmp_path: Path, sliding: Bundle, folder: Path) -> None:
    for number, file in enumerate(sorted(folder.iterdir())):
        shutil.copy(file, tmp_path / f"{number}.png")
    for number in range(20):
        (tmp_path / f"other{number}.png").write_bytes(encode_png(np.full((50, 90, 3), number, np.uint8)))
    with pytest.raises(DatasetError, match=r"one design, received 40 of 160x50 px and 20 of 90x50 px"):
        adapt(tmp_path, tmp_path / "b", sliding, AdaptSettings())


def test_noise(tmp_path: Path, sliding: Bundle) -> None:
    rng = np.random.default_rng(0)
    for number in range(40):
        (tmp_path / f"{number}.png").write_bytes(encode_png(rng.integers(0, 256, (60, 160, 3)).astype(np.uint8)))
    with pytest.raises(DatasetError, match="too little agreement to start from"):
        adapt(tmp_path, tmp_path / "b", sliding, AdaptSettings())


def test_only_a_sliding_model_is_adapted(tmp_path: Path, folder: Path) -> None:
    segmented = load_bundle(shipped_bundles()["segmented"])
    with pytest.raises(BundleError, match="expected a sliding bundle to adapt"):
        adapt(folder, tmp_path / "b", segmented, AdaptSettings())


def test_views_of_plain_images_agree_and_their_vote_is_right(sliding: Bundle) -> None:
    drawn = [drawing for drawing, _ in zip(draw_run(load_design("plain"), 5), range(24), strict=False)]
    seen = look(sliding, [each.image for each in drawn], AdaptSettings())
    assert seen.agreement > 0.3
    pairs = zip(seen.readings, drawn, seen.shares, strict=True)
    right = [each.text.casefold() == drawing.text.casefold() for each, drawing, share in pairs if share == 1]
    assert np.mean(right) >= 0.9
    told = look(sliding, [each.image for each in drawn], AdaptSettings(infer=True))
    assert told.prior.charset is not None


def test_a_model_reads_as_many_drawn_images_as_itself(sliding: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapting, "DRAWN", 16)
    assert compared(sliding, sliding).value == 0


@pytest.mark.slow
def test_a_round_trains_and_the_same_call_resumes_it(tmp_path: Path, folder: Path, sliding: Bundle) -> None:
    settings = AdaptSettings(minutes=0.02, rounds=1)
    images = [each.image for each, _ in zip(draw_run(load_design("plain"), 3), range(COUNT), strict=False)]
    samples = [Sample(str(number), encode_png(image), "1234", "plain") for number, image in enumerate(images[:12])]
    first = adapting._trained(sliding, samples, tmp_path / "round1", settings, 1)
    assert first.charset == sliding.charset
    assert first.card["training"]["from"] == sliding.sha256
    assert len(read_folder(tmp_path / "round1" / "trusted")) == 12
    again = adapting._trained(sliding, [], tmp_path / "round1", settings, 1)
    assert again.sha256 == first.sha256
