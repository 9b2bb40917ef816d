"""Every shipped bundle answers alike on every runtime: 160 drawn images, probabilities within 1e-4."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.decoding.decode import Constraints, decode
from captcha_solver.decoding.probabilities import log_softmax
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import load_design, parse_design
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.models.runtimes import RUNTIMES, Runtime, load_runtime
from captcha_solver.recognizers import RECOGNIZERS
from captcha_solver.segmented.path import Candidates, SegmentSettings, candidates
from captcha_solver.types import Batch, Rgb

IMAGES = 160
SEED = 20_260_000
TOLERANCE = 1e-4
REFERENCE = "keras"


DIGITS_DESIGN = """
[canvas]
width_px = 80
height_px = 40
[text]
charset = "digits"
length = "1-3"
"""


@cache
def drawn(model: str) -> tuple[Rgb, ...]:
    """The images: a few designs, light and dark, clean and noisy; for the digit network, one to three digits."""
    designs = [load_design(name) for name in ("plain", "note", "classic", "outline")]
    if model == "digits":
        designs = [parse_design(DIGITS_DESIGN, "digits")]
    share = -(-IMAGES // len(designs))
    batches = [draw_batch(d, [None] * share, np.random.default_rng([SEED, i])) for i, d in enumerate(designs)]
    return tuple(drawing.image for batch in batches for drawing in batch)[:IMAGES]


@cache
def cut(gray: bytes, shape: tuple[int, int], settings: SegmentSettings) -> Candidates:
    """Candidates of a grey image: cut once, classified by each runtime."""
    return candidates(np.frombuffer(gray, np.float32).reshape(shape), settings)


@pytest.fixture(autouse=True)
def cut_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "captcha_solver.segmented.path.candidates", lambda gray, settings: cut(gray.tobytes(), gray.shape, settings)
    )


@dataclass
class Noting:
    """A runtime that keeps the probabilities it gave."""

    runtime: Runtime
    device: str = "as wrapped"
    name: str = "as wrapped"
    probs: list[NDArray[np.float32]] = field(default_factory=list)

    def run(self, batch: Batch) -> NDArray[np.float32]:
        logits = self.runtime.run(batch)
        self.probs.append(np.exp(log_softmax(logits)))
        return logits


@cache
def scored(model: str, runtime: str) -> tuple[tuple[NDArray[np.float32], ...], tuple[str, ...]]:
    """All that the network said of the pictures, before any threshold or path, and the answers in the end."""
    bundle = load_bundle(shipped_bundles()[model])
    noting = Noting(load_runtime(bundle, runtime))
    recognizer = RECOGNIZERS[bundle.kind](bundle, noting)
    answers: list[str] = []
    for start in range(0, IMAGES, 50):
        scores = recognizer.score(drawn(model)[start : start + 50])
        answers += [decode(s, recognizer.charset, Constraints(), recognizer.temperature).text for s in scores]
    return tuple(noting.probs), tuple(answers)


@pytest.mark.parametrize("model", sorted(shipped_bundles()))
def test_a_shipped_network_is_small_and_carries_no_optimizer(model: str) -> None:
    bundle = load_bundle(shipped_bundles()[model])
    keras, onnx = bundle.keras_path.stat().st_size, bundle.onnx_path.stat().st_size
    assert max(keras, onnx) < 8_000_000
    assert keras < 1.5 * onnx  # an optimizer's state would triple it


@pytest.mark.parametrize("model", sorted(shipped_bundles()))
@pytest.mark.parametrize("runtime", sorted(set(RUNTIMES) - {REFERENCE, "int8"}))
def test_a_runtime_agrees_with_keras(model: str, runtime: str) -> None:
    (expected, texts), (received, others) = scored(model, REFERENCE), scored(model, runtime)
    assert others == texts
    assert sum(map(bool, texts)) > IMAGES // 10, "a network that reads nothing proves nothing"
    for one, other in zip(expected, received, strict=True):
        np.testing.assert_allclose(other, one, atol=TOLERANCE, rtol=0)
