"""Losses of a recipe: views that agree lose nothing, the alignment is CTC's own, the guide learns to read."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from captcha_solver.training.torch_losses import Guide, alignment, divergence, self_distilled  # noqa: E402


def one_hot(path: list[int], classes: int = 4, sure: float = 6.0) -> Any:
    return sure * torch.nn.functional.one_hot(torch.tensor([path]), classes).float()


def test_views_that_agree_are_not_apart() -> None:
    logits = torch.randn(3, 7, 5)
    assert float(divergence(torch.cat([logits, logits]))) == pytest.approx(0, abs=1e-6)
    assert float(divergence(torch.cat([logits, logits.flip(-1)]))) > 0.1


def test_each_view_learns_from_the_other() -> None:
    logits = torch.randn(4, 7, 5, requires_grad=True)
    divergence(logits).backward()
    assert (logits.grad.abs().sum((1, 2)) > 0).all()


def test_the_alignment_is_the_path_that_spells_the_text() -> None:
    labels = torch.tensor([[1, 2, 0]])
    assert alignment(labels, one_hot([0, 1, 1, 0, 2, 0])).tolist() == [[0, 1, 1, 0, 2, 0]]
    doubtful = one_hot([0, 3, 0, 0, 2, 0], sure=2.0)  # class 3 is not in the text: its column is the 1 or nothing
    found = alignment(labels, doubtful)[0].tolist()
    assert 3 not in found
    assert found[4] == 2


def test_self_distillation_sharpens_the_alignment_and_leaves_out_what_does_not_fit() -> None:
    labels = torch.tensor([[1, 2, 0], [1, 1, 1]])
    logits = torch.cat([one_hot([0, 1, 1, 0, 2, 0], sure=2.0), one_hot([1, 1, 1, 1, 1, 1], sure=2.0)])[:, :4]
    logits = logits.clone().requires_grad_()
    self_distilled(labels, logits).backward()
    assert float(logits.grad[1].abs().sum()) == 0  # 1 1 1 needs five columns, and there are four
    assert float(logits.grad[0, 1, 1]) < 0  # more of the class that the alignment has there


def test_the_guide_learns_to_read_and_sees_no_character_ahead() -> None:
    guide = Guide(16, 5, "cpu", seed=0)
    labels = torch.tensor([[1, 2, 3], [4, 0, 0]])
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 8, 16)).astype(np.float32))
    optimizer = torch.optim.Adam(guide.parameters(), lr=0.01)
    first = float(guide.loss(labels, features).detach())
    for _ in range(60):
        optimizer.zero_grad()
        loss = guide.loss(labels, features)
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.2 * first
