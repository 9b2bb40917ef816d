"""Adversarial perturbation: within its bound, against the network that it was made for, and washed out again."""

import numpy as np
import pytest

from captcha_solver.audit.attackers.attacks import accuracy
from captcha_solver.audit.attackers.cell_runner import washed
from captcha_solver.audit.attackers.perturb import (
    PERTURBATIONS,
    PERTURBED_CONDITIONS,
    WASHES,
    Adversary,
    Perturbation,
    Perturbed,
)
from captcha_solver.image import encode_png, read_image
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.solver import load_solver
from captcha_solver.types import Rgb, Sample
from tests.audit.fake_attackers import images


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("FGSM within 4/255", Perturbed(Perturbation(4, 1))),
        ("PGD within 8/255, JPEG 75", Perturbed(Perturbation(8, 10), "JPEG 75")),
        ("as it is", None),
        ("no lines, no dots", None),
    ],
)
def test_a_condition_names_a_perturbation(condition: str, found: Perturbed | None) -> None:
    assert PERTURBED_CONDITIONS.get(condition) == found


def test_one_step_goes_all_the_way_and_several_share_it() -> None:
    assert [(how.name, how.step) for how in PERTURBATIONS] == [
        ("FGSM within 4/255", 4),
        ("FGSM within 8/255", 8),
        ("PGD within 4/255", 1.0),
        ("PGD within 8/255", 2.0),
    ]


@pytest.mark.parametrize("wash", list(WASHES))
def test_washing_takes_fine_changes_out(wash: str) -> None:
    flat = np.full((40, 80, 3), 128, np.uint8)
    checks = flat + np.where(np.indices((40, 80)).sum(axis=0) % 2, 4, 0).astype(np.uint8)[..., None]
    assert WASHES[wash](checks).std() < checks.std() / 2
    assert WASHES[wash](flat).shape == flat.shape
    assert abs(int(WASHES[wash](flat).mean()) - 128) <= 1


def test_what_cannot_be_read_is_not_washed() -> None:
    broken = Sample("x", b"junk", "ab", "own")
    assert washed([broken], "JPEG 75") == [broken]


def rate(pictures: list[Rgb], texts: list[str], model: str) -> float:
    samples = [Sample(str(i), encode_png(each), text, "own") for i, (each, text) in enumerate(zip(pictures, texts))]  # noqa: B905
    read = load_solver(model, runtime="onnx").solve_batch([each.image for each in samples])
    return accuracy(samples, read, fold_case=True) or 0.0


@pytest.mark.slow
def test_perturbed_images_are_within_the_bound_and_hit_the_own_network_hardest() -> None:
    samples = images(24, "classic")
    clean, texts = [read_image(each.image) for each in samples], [each.text for each in samples]
    adversary = Adversary(load_bundle(shipped_bundles()["sliding"]))
    odd = adversary.perturb(clean[:2], ["?", ""], Perturbation(8, 1))
    assert all(np.array_equal(a, b) for a, b in zip(odd, clean[:2], strict=True))  # of texts that it cannot write
    fgsm, pgd = (adversary.perturb(clean, texts, how) for how in (Perturbation(8, 1), Perturbation(8, 4)))
    for changed in (fgsm, pgd):
        moved = [np.abs(a.astype(int) - b.astype(int)).max() for a, b in zip(clean, changed, strict=True)]
        assert 0 < max(moved) <= 8
    before, by_step, by_steps = (rate(each, texts, "sliding") for each in (clean, fgsm, pgd))
    assert before > by_step >= by_steps
    assert before - by_steps > 0.3
    assert rate(pgd, texts, "segmented") > by_steps  # it was not made against this one
    again = adversary.perturb(clean, texts, Perturbation(8, 4))
    assert all(np.array_equal(a, b) for a, b in zip(pgd, again, strict=True))
