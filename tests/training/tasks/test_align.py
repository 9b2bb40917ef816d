"""A labelled image's glyphs are found by spelling its text along the cuts."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.charset import NAMED, NOTHING, Charset
from captcha_solver.designs.drawing.draw import draw_run
from captcha_solver.designs.load import load_design
from captcha_solver.errors import BundleError
from captcha_solver.folders.labels_csv import LABELS
from captcha_solver.models.bundle import shipped_bundles
from captcha_solver.segmented.path import Candidates, best_chain
from captcha_solver.training.tasks.align import UNSURE, Folder, label_pieces, spelt
from captcha_solver.training.tasks.glyphs import GlyphTask, MakeGlyphs
from captcha_solver.types import Box, Glyphs

CHARSET = Charset("abA")


def labelled(found: Candidates, log_probs: NDArray[np.float32], text: str) -> NDArray[np.int32]:
    return label_pieces(found, spelt(log_probs, text, CHARSET), log_probs, CHARSET.encode(text))


A, B, CAPITAL = 1, 2, 3


def chain(shares: list[float], widest: int = 2) -> Candidates:
    """Every union of up to ``widest`` neighbouring intervals of ink."""
    edges = [(i, j) for i in range(len(shares)) for j in range(i + 1, min(len(shares), i + widest) + 1)]
    boxes = [Box(10 * i, 0, 10 * j, 10) for i, j in edges]
    pixels = np.zeros((len(edges), 8, 8, 1), np.float32)
    return Candidates(Glyphs(pixels, boxes), np.array(edges, np.int32), np.array(shares, np.float32), 0.1)


def told(found: Candidates, believed: dict[tuple[int, int], dict[int, float]]) -> NDArray[np.float32]:
    """Log-probabilities: what is ``believed`` of a candidate by its cuts; of all others, that they are nothing."""
    probs = np.full((len(found), CHARSET.classes), 0.001)
    probs[:, NOTHING] = 0.997
    for row, edge in enumerate(found.edges.tolist()):
        for name, value in believed.get((edge[0], edge[1]), {}).items():
            probs[row, name] = value
    return np.asarray(np.log(probs / probs.sum(axis=1, keepdims=True)), np.float32)


def placed(found: Candidates, log_probs: NDArray[np.float32], text: str) -> list[tuple[int, int]]:
    """Cuts between which each character of ``text`` lies."""
    chosen = best_chain(found, spelt(log_probs, text, CHARSET), log_probs[:, NOTHING].astype(np.float64))
    assert chosen is not None
    return [(int(a), int(b)) for a, b in found.edges[chosen]]


def test_the_text_decides_where_the_network_is_torn() -> None:
    found = chain([0.25, 0.25, 0.25, 0.25])
    # each half alone may be an a; the two pairs may be b, less surely
    believed = {(i, i + 1): {A: 0.9} for i in range(4)} | {(0, 2): {B: 0.5}, (2, 4): {B: 0.5}}
    log_probs = told(found, believed)
    assert placed(found, log_probs, "aaaa") == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert placed(found, log_probs, "bb") == [(0, 2), (2, 4)]
    assert placed(found, log_probs, "baa") == [(0, 2), (2, 3), (3, 4)]
    assert placed(found, log_probs, "aab") == [(0, 1), (1, 2), (2, 4)]


def test_noise_between_the_glyphs_is_passed_over() -> None:
    found = chain([0.45, 0.1, 0.45])
    log_probs = told(found, {(0, 1): {A: 0.9}, (2, 3): {B: 0.9}})
    assert placed(found, log_probs, "ab") == [(0, 1), (2, 3)]


def test_a_text_longer_than_the_pieces_has_no_place() -> None:
    found = chain([0.5, 0.5])
    assert (labelled(found, told(found, {}), "aba") == UNSURE).all()


def test_no_candidates_no_place() -> None:
    nothing = chain([])
    assert best_chain(nothing, np.zeros((0, 1)), np.zeros(0)) is None


def test_cases_are_one_for_the_place_and_two_for_the_label() -> None:
    found = chain([0.5, 0.5])
    log_probs = told(found, {(0, 1): {A: 0.9}, (1, 2): {B: 0.9}})
    labels = labelled(found, log_probs, "Ab")
    by_edge = dict(zip(map(tuple, found.edges.tolist()), labels.tolist(), strict=True))
    assert by_edge == {(0, 1): CAPITAL, (1, 2): B, (0, 2): NOTHING}


def test_a_candidate_with_a_little_more_ink_is_still_the_glyph_and_half_of_it_is_none() -> None:
    found = chain([0.24, 0.24, 0.02, 0.5], widest=3)
    log_probs = told(found, {(0, 2): {A: 0.9}, (3, 4): {B: 0.9}})
    labels = labelled(found, log_probs, "ab")
    by_edge = dict(zip(map(tuple, found.edges.tolist()), labels.tolist(), strict=True))
    assert by_edge[0, 2] == by_edge[0, 3] == A
    assert by_edge[0, 1] == by_edge[1, 2] == NOTHING


def test_one_doubtful_glyph_is_learnt_from_two_are_not() -> None:
    found = chain([0.25, 0.25, 0.25, 0.25], widest=1)
    sure = {(i, i + 1): {A: 0.9} for i in range(4)}
    assert (labelled(found, told(found, sure), "aaab") == [A, A, A, B]).all()
    assert (labelled(found, told(found, sure), "abab") == UNSURE).all()


def test_a_doubtful_sliver_is_no_glyph() -> None:
    found = chain([0.32, 0.32, 0.32, 0.04], widest=1)
    sure = {(i, i + 1): {A: 0.9} for i in range(3)}
    assert (labelled(found, told(found, sure), "aaab") == UNSURE).all()
    sure[3, 4] = {B: 0.9}  # a narrow glyph that is surely there
    assert (labelled(found, told(found, sure), "aaab") == [A, A, A, B]).all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty drawings of an easy design, and a file that is no image."""
    path = tmp_path_factory.mktemp("labelled")
    rows = ["filename,label", "broken.png,abcd"]
    run = draw_run(load_design("plain"), seed=5)
    for index in range(30):
        drawing = next(run)
        cv2.imwrite(str(path / f"{index}.png"), drawing.image[:, :, ::-1])
        rows.append(f"{index}.png,{drawing.text}")
    (path / "broken.png").write_bytes(b"no image")
    (path / LABELS).write_text("\n".join(rows))
    return path


def test_a_folder_gives_the_glyphs_of_its_texts(folder: Path) -> None:
    source = Folder(str(folder), None, shipped_bundles()["segmented"], Charset(NAMED["alnum"]))
    rng = np.random.default_rng(0)
    cuts = [source.crops(rng, heldout=False) for _ in range(40)]
    names = np.concatenate([labels for _, labels in cuts])
    assert all(len(pixels) == len(labels) for pixels, labels in cuts)
    assert (names == NOTHING).any()
    assert len(set(names.tolist())) > 15
    assert UNSURE not in names


def test_batches_from_a_folder_are_the_same_for_a_seed(folder: Path) -> None:
    task = GlyphTask([str(folder), "plain:0.2"], batch=64, workers=0)
    first, again = (next(task.batches(3, 0)) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert first[0].shape == (64, 32, 32, 1)
    assert task.data["aligned_with"]


def test_held_out_images_are_not_trained_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = GlyphTask([str(folder)], labels=20, batch=64, workers=0)
    asked: list[tuple[int | None, bool]] = []
    crops = Folder.crops

    def noted(self: Folder, rng: np.random.Generator, *, heldout: bool) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        asked.append((self.labels, heldout))
        return crops(self, rng, heldout=heldout)

    monkeypatch.setattr(Folder, "crops", noted)
    next(task.batches(3, 0))
    assert set(asked) == {(20, False)}
    asked.clear()
    mixture = task._mixture()
    MakeGlyphs(mixture, task.segment, 32, task.aligner, heldout=True)(np.random.default_rng(0))
    assert set(asked) == {(20, True)}


def test_only_a_segmented_bundle_can_align(folder: Path) -> None:
    source = Folder(str(folder), None, shipped_bundles()["sliding"], Charset(NAMED["alnum"]))
    with pytest.raises(BundleError, match="segmented bundle"):
        source.crops(np.random.default_rng(0), heldout=False)
