"""Solvers for the options of jobs, made of a process's models; the shipped model, as workers load it."""

import pytest

from captcha_solver.errors import CaptchaSolverError, OptionError
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.solver import load_solver
from captcha_solver.text_prior import TextPrior
from captcha_solver.voting import CHOICES
from workers.jobs import reader as readers
from workers.jobs.reader import Reader, model_hashes
from workers.jobs.record import StoredOptions


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(["sliding"])


def test_models_are_named_with_their_hash(reader: Reader) -> None:
    expected = load_bundle(shipped_bundles()["sliding"]).sha256
    assert dict(reader.models) == {"sliding": expected}
    assert model_hashes(["sliding"]) == {"sliding": expected}
    reader.warm()


@pytest.mark.parametrize(
    ("options", "symbols", "shortest", "longest"),
    [
        (StoredOptions("sliding"), None, None, None),
        (StoredOptions("sliding", "2-5", "4"), "2345", 4, 4),
        (StoredOptions("sliding", None, "4-6"), None, 4, 6),
        (StoredOptions("sliding", "xYz", "6"), "xYz", 6, 6),
        (StoredOptions("sliding", "xY", "6", True), "xXYy", 6, 6),
    ],
)
def test_options_narrow_the_decoding(
    reader: Reader, options: StoredOptions, symbols: str | None, shortest: int | None, longest: int | None
) -> None:
    found = reader.solver(options).constraints
    assert (found.symbols(), found.min_length, found.max_length) == (symbols, shortest, longest)


def test_a_solver_is_made_once(reader: Reader) -> None:
    assert reader.solver(StoredOptions("sliding", length="5")) is reader.solver(StoredOptions("sliding", length="5"))
    assert reader.solver(StoredOptions("sliding", length="5")) is not reader.solver(
        StoredOptions("sliding", length="6")
    )


def test_so_many_solvers_are_kept(monkeypatch: pytest.MonkeyPatch, reader: Reader) -> None:
    monkeypatch.setattr(readers, "SOLVERS_KEPT", 3)
    for length in range(1, 12):
        reader.solver(StoredOptions("sliding", length=str(length)))
        assert len(reader._solvers) <= 3


def test_a_model_that_is_not_loaded(reader: Reader) -> None:
    with pytest.raises(OptionError, match="expected a model among sliding, received 'digits'"):
        reader.solver(StoredOptions("digits"))


@pytest.mark.parametrize("views", CHOICES)
def test_a_job_is_read_in_the_views_that_a_direct_call_would_take(reader: Reader, views: str) -> None:
    assert reader.solver(StoredOptions("sliding", views=views)).views == load_solver("sliding", views=views).views


@pytest.mark.parametrize(
    ("options", "images"),
    [
        (StoredOptions("sliding"), 64),
        (StoredOptions("sliding", views="2"), 32),
        (StoredOptions("sliding", views="auto"), 9),
        (StoredOptions("sliding", views="8"), 64),  # none of them is read
        (StoredOptions("digits"), 64),
    ],
)
def test_so_many_images_are_read_at_once(reader: Reader, options: StoredOptions, images: int) -> None:
    assert reader.at_once(options, 64) == images
    assert reader.at_once(options, 1) == 1


@pytest.mark.parametrize(
    "options",
    [StoredOptions("sliding", "é"), StoredOptions("sliding", length="many"), StoredOptions("sliding", views="8")],
)
def test_options_that_cannot_be(reader: Reader, options: StoredOptions) -> None:
    with pytest.raises(CaptchaSolverError, match="expected"):
        reader.solver(options)


def test_sums_are_answered_as_asked(reader: Reader) -> None:
    assert reader.solver(StoredOptions("sliding", answer="result")).constraints.answer == "result"
    assert reader.solver(StoredOptions("sliding")).constraints.answer is None


def test_nothing_is_inferred_where_options_cannot_be_met(reader: Reader) -> None:
    assert reader.prior([], StoredOptions("sliding")) == TextPrior()
    assert reader.prior([b"x"], StoredOptions("digits")) == TextPrior()
