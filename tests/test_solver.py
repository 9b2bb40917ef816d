import time
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

import captcha_solver.solver
from captcha_solver.decoding.decode import FREE, Constraints
from captcha_solver.errors import BundleError, OptionError
from captcha_solver.image import Picture
from captcha_solver.solver import CHUNK, Solver, load_solver
from captcha_solver.types import Rgb, Scores
from tests.fakes import FakeRecognizer, encoded, picture

TEXTS = ["alpha", "Beta7", "c"]


def test_one_image() -> None:
    solution = Solver(FakeRecognizer(TEXTS)).solve(picture(1))
    assert solution.text == "Beta7"
    assert solution.failure is None
    assert solution.confidence == pytest.approx(0.9**5, rel=1e-5)
    assert (solution.recognizer, solution.model_sha256) == ("fake", "f" * 64)
    assert solution.elapsed_ms > 0
    assert len(solution.reading.characters) == 5


def test_a_bad_image_keeps_its_place_and_the_rest_is_solved() -> None:
    batch = [picture(0), b"", picture(1), b"no image", encoded(Image.new("RGB", (1, 1))), picture(2)]
    solutions = Solver(FakeRecognizer(TEXTS)).solve_batch(batch)
    assert [s.text for s in solutions] == ["alpha", "", "Beta7", "", "", "c"]
    assert [s.failure is None for s in solutions] == [True, False, True, False, False, True]
    assert "received zero bytes" in (solutions[1].failure or "")
    assert "received 1 x 1 pixels" in (solutions[4].failure or "")
    assert all(s.confidence == 0 and s.reading.characters == () for s in solutions if s.failure)
    assert all(s.recognizer == "fake" and s.elapsed_ms >= 0 for s in solutions)


def test_nothing_in_an_image_is_a_failure() -> None:
    solution = Solver(FakeRecognizer(TEXTS)).solve(picture(255))
    assert (solution.text, solution.failure, solution.confidence) == ("", "no text found", 0.0)
    solution = Solver(FakeRecognizer(TEXTS), Constraints(None, 20, 30)).solve(picture(0))
    assert (solution.text, solution.failure) == ("", "no text found of length 20-30")


def test_no_images_and_no_good_image() -> None:
    recognizer = FakeRecognizer(TEXTS)
    assert Solver(recognizer).solve_batch([]) == []
    assert [s.text for s in Solver(recognizer).solve_batch([b"x", b""])] == ["", ""]
    assert recognizer.calls == []


def test_one_image_that_breaks_the_recognizer_fails_alone() -> None:
    solutions = Solver(FakeRecognizer(TEXTS)).solve_batch([picture(0), picture(99), picture(2)])
    assert [s.text for s in solutions] == ["alpha", "", "c"]
    assert solutions[1].failure == "could not be read (IndexError: list index out of range)"


def test_a_broken_set_up_is_no_failure_of_an_image() -> None:
    class Wrong(FakeRecognizer):
        def score(self, images: Sequence[Rgb], constraints: Constraints = FREE) -> list[Scores]:
            raise BundleError("expected another network")

    with pytest.raises(BundleError):
        Solver(Wrong()).solve(picture(0))


def test_many_images_go_through_in_chunks() -> None:
    recognizer = FakeRecognizer(TEXTS)
    count = 2 * CHUNK + 3
    solutions = Solver(recognizer).solve_batch([picture(i % 3) for i in range(count)])
    assert [s.text for s in solutions] == [TEXTS[i % 3] for i in range(count)]
    assert recognizer.calls == [CHUNK, CHUNK, 3]


def test_constraints_narrow_the_reading() -> None:
    assert Solver(FakeRecognizer(TEXTS), Constraints("lower")).solve(picture(1)).text == "eta"
    assert Solver(FakeRecognizer(TEXTS), Constraints(None, 5, 5)).solve(picture(1)).text == "Beta7"
    with pytest.raises(OptionError, match="expected characters the model reads"):
        Solver(FakeRecognizer(TEXTS), Constraints("#!"))


def test_time_is_counted_where_it_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock moved by hand: 10 ms to decode the first image, 1 ms the others, 8 ms in the network."""
    clock = [0.0]

    def decoding(data: bytes) -> Picture:
        clock[0] += 0.010 if data == b"slow" else 0.001
        if data == b"bad":
            raise ValueError("bad")
        return Picture(np.zeros((20, 40, 3), np.uint8))

    class Timed(FakeRecognizer):
        def score(self, images: Sequence[Rgb], constraints: Constraints = FREE) -> list[Scores]:
            clock[0] += 0.008
            return [self._one(0) for _ in images]

    monkeypatch.setattr("captcha_solver.attempt.perf_counter", lambda: clock[0])
    monkeypatch.setattr(captcha_solver.solver, "read_picture", decoding)
    solutions = Solver(Timed(TEXTS)).solve_batch([b"slow", b"fast", b"bad"])
    assert [round(s.elapsed_ms, 6) for s in solutions] == [14.0, 5.0, 1.0]


def test_the_sum_of_times_is_the_time_spent() -> None:
    start = time.perf_counter()
    solutions = Solver(FakeRecognizer(TEXTS)).solve_batch([picture(i % 3) for i in range(40)])
    assert 0 < sum(s.elapsed_ms for s in solutions) <= (time.perf_counter() - start) * 1e3


def test_load_solver_checks_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, str]] = []

    def load(model: object, runtime: str) -> FakeRecognizer:
        asked.append((model, runtime))
        return FakeRecognizer(TEXTS)

    monkeypatch.setattr(captcha_solver.solver, "load_recognizer", load)
    assert load_solver().constraints == Constraints()
    solver = load_solver("digits", runtime="keras", charset="digits", length="4-6")
    assert solver.constraints == Constraints("digits", 4, 6)
    assert load_solver(length=5).constraints == Constraints(None, 5, 5)
    assert asked[:2] == [("sliding", "auto"), ("digits", "keras")]
    with pytest.raises(OptionError, match="received '9-2'"):
        load_solver(length="9-2")


def test_a_bundle_made_for_some_texts_looks_for_their_like_unless_told_others(monkeypatch: pytest.MonkeyPatch) -> None:
    made = FakeRecognizer(TEXTS)
    made.length, made.alphabet = "4", "12ab"
    monkeypatch.setattr(captcha_solver.solver, "load_recognizer", lambda *_: made)
    assert load_solver().constraints == Constraints("12ab", 4, 4)
    assert load_solver(length="1-9", charset="digits").constraints == Constraints("digits", 1, 9)


def test_an_unknown_model_lists_the_valid_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("captcha_solver.recognizers.shipped_bundles", lambda: {"digits": None, "sliding": None})
    with pytest.raises(OptionError, match=r"expected a model's name \(digits, sliding\) .* received 'slidng'"):
        load_solver("slidng")
