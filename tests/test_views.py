"""Views: each says where its columns lie; the vote sums confidences; only unsure images are voted on."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from captcha_solver.charset import Charset
from captcha_solver.decoding.decode import FREE, Constraints
from captcha_solver.errors import OptionError
from captcha_solver.image import encode_png
from captcha_solver.solver import Solver
from captcha_solver.types import Character, Reading, Rgb, Scores
from captcha_solver.views import VIEWS, View, further_views, text_rows
from captcha_solver.voting import CANVAS, Viewed, ViewSettings, VoteFit, agreeing, parse_views, shared, vote
from tests.fakes import ALNUM, FakeRecognizer, picture, scores_of

FIT = VoteFit(0.8, 1.2, 0.9)


def reading(text: str, confidence: float) -> Reading:
    return Reading(text, tuple(Character(c, confidence, (0.0, 1.0)) for c in text), confidence)


def band(height: int = 50, top: int = 20, bottom: int = 32) -> Rgb:
    """White, with a band of heavy strokes in the rows ``top`` to ``bottom`` and a thin line across the whole canvas."""
    image = np.full((height, 120, 3), 255, np.uint8)
    for left in range(20, 100, 12):
        image[top:bottom, left : left + 5] = 30
    return np.asarray(cv2.line(image, (0, 0), (119, height - 1), (200, 40, 40), 1), np.uint8)


@pytest.mark.parametrize(
    ("readings", "text", "confidence"),
    [
        ([("ab", 0.9)], "ab", 0.9),
        ([("ab", 0.6), ("cd", 0.5), ("cd", 0.4)], "cd", 0.3),  # 0.9 against 0.6, of three views
        ([("ab", 0.5), ("cd", 0.5)], "ab", 0.25),  # equal: the earlier view
        ([("", 0.0), ("cd", 0.4)], "cd", 0.2),
        ([("", 0.0), ("", 0.0)], "", 0.0),
    ],
)
def test_where_scores_cannot_be_compared_the_vote_sums_confidences(
    readings: list[tuple[str, float]], text: str, confidence: float
) -> None:
    voted = vote(shared([reading(*each) for each in readings]), VoteFit())
    assert voted.text == text
    assert voted.confidence == pytest.approx(confidence)


def test_the_confidence_of_a_vote_is_fitted() -> None:
    shares = [0.0, 0.1, 0.3, 0.5, 0.9, 1.0]
    fitted = [FIT.confidence(share) for share in shares]
    assert fitted == sorted(fitted)
    assert (fitted[0], fitted[-1]) == (0.0, 1.0)
    assert fitted[3] == pytest.approx(1 / (1 + np.exp(-0.9)))
    assert [VoteFit().confidence(share) for share in shares] == shares
    half = [reading("ab", 0.9), reading("ab", 0.9), reading("x", 0.1), reading("y", 0.1)]
    assert vote(shared(half), FIT).confidence == pytest.approx(FIT.confidence(0.45))


def test_the_text_that_all_views_support_most_wins_however_many_read_it() -> None:
    views = [Viewed(reading("ab", 0.6), 0.3), Viewed(reading("ab", 0.7), 0.3), Viewed(reading("cd", 0.5), 0.4)]
    voted = vote(views, FIT)
    assert voted.text == "cd"
    assert voted.confidence == pytest.approx(FIT.confidence(0.4))
    assert vote(views, VoteFit(), lambda each: 0.5 if each.text == "cd" else 1.0).text == "ab"
    assert agreeing(views, "ab") == pytest.approx(2 / 3)
    assert agreeing([Viewed(reading("", 0.0), 0.0)], "") == 0


def test_a_solver_supports_a_text_by_its_mean_probability_in_all_views() -> None:
    """The second view reads "b", and the first all but does: together they say "b"."""
    solver = Solver(ByView([[0.1, 0.5, 0.4], [0.1, 0.1, 0.8]]), views=ViewSettings(2, always=True))
    (views,) = solver.views_of([band()])
    assert [(each.reading.text, round(each.support, 3)) for each in views] == [("a", 0.3), ("b", 0.6)]
    assert vote(views, VoteFit()).text == "b"


class ByView(FakeRecognizer):
    """One row of probabilities of nothing, a and b for each view."""

    def __init__(self, rows: list[list[float]]) -> None:
        super().__init__(charset=Charset("ab"))
        self._rows = iter(rows)

    def score(self, images: Sequence[Rgb], constraints: Constraints = FREE) -> list[Scores]:
        span = np.array([[0, 1]], np.float32)
        return [Scores(np.log([next(self._rows)]).astype(np.float32), span, collapse=True) for _ in images]


@pytest.mark.parametrize("wrong", [{"below": 1.1}, {"slope": 0.0}, {"slope": float("nan")}, {"offset": float("inf")}])
def test_a_fit_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="expected"):
        VoteFit(**wrong)


def test_the_spans_of_a_vote_are_those_of_the_surest_view() -> None:
    sure = Reading("a", (Character("a", 0.9, (5.0, 9.0)),), 0.9)
    assert vote(shared([reading("a", 0.2), sure]), VoteFit()).characters == sure.characters


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("size", [(8, 8), (20, 60), (51, 118), (100, 300)])
def test_every_view_takes_every_size_and_its_columns_span_the_image(name: str, size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    before = image.copy()
    view = VIEWS[name](image)
    assert view.pixels.dtype == np.uint8
    assert min(view.pixels.shape[:2]) >= 8
    assert view.left_px + view.pixels.shape[1] * view.px_per_column == pytest.approx(size[1])
    assert (image == before).all()


def test_a_view_says_where_in_the_image_a_character_lies() -> None:
    view = View(np.zeros((10, 10, 3), np.uint8), left_px=4, px_per_column=0.5)
    read = Reading("a", (Character("a", 0.9, (2.0, 6.0)),), 0.9)
    assert view.in_image(read).characters[0].span_px == (5.0, 7.0)


def test_the_rows_of_the_text_are_found_under_a_thin_line_across_the_canvas() -> None:
    top, bottom = text_rows(band())
    assert 15 <= top <= 20
    assert 32 <= bottom <= 37


def test_an_empty_image_keeps_all_its_rows() -> None:
    assert text_rows(np.full((40, 80, 3), 255, np.uint8)) == (0, 40)


def test_the_median_takes_hatching_away_and_leaves_strokes() -> None:
    image = band()
    image[::4] = 0  # a line of one pixel in every fourth row
    seen = VIEWS["median"](image).pixels
    assert seen[12:14, 2:18].min() == 255
    assert seen[22:30, 22].max() <= 30


@pytest.mark.parametrize(
    ("spec", "settings"),
    [("auto", ViewSettings(7, FIT)), (1, ViewSettings(1, FIT, always=True)), ("3", ViewSettings(3, FIT, always=True))],
)
def test_views_are_said_as_a_number_or_left_to_the_confidence(spec: str | int, settings: ViewSettings) -> None:
    assert parse_views(spec, FIT) == settings


@pytest.mark.parametrize("spec", ["0", "8", "many", "-1", "1.5", "", "07", "+7", " 7", "AUTO", "٧", 0, 8, True])
def test_what_is_no_number_of_views_is_refused(spec: str | int) -> None:
    with pytest.raises(OptionError, match="expected views auto or 1 to 7, received"):
        parse_views(spec, FIT)


def test_the_first_view_is_not_among_the_further_ones() -> None:
    image = band()
    first = View(image[5:30, 10:70], left_px=10.0)
    assert further_views(image, first, ViewSettings(1)) == []
    further = further_views(image, first, ViewSettings(7))
    assert len(further) == 6
    assert (further[0].pixels == VIEWS["median"](first.pixels).pixels).all()
    assert (further[1].pixels == image).all()


def test_views_of_a_cut_lead_back_to_the_image() -> None:
    first = View(band()[5:30, 10:70], left_px=10.0)
    for name, view in zip(list(VIEWS)[1:], further_views(band(), first, ViewSettings(7)), strict=True):
        read = Reading("a", (Character("a", 1.0, (8.0, 12.0)),), 1.0)
        left, right = view.in_image(read).characters[0].span_px
        expected = 10.0 + 10.0 * 60 / view.pixels.shape[1] if name != CANVAS else 10.0
        assert abs((left + right) / 2 - expected) < 0.1, name


class Hatched(FakeRecognizer):
    """Reads "abcd" surely where the picture is clean, "wxyz" unsurely where single pixels differ."""

    def score(self, images: Sequence[Rgb], constraints: Constraints = FREE) -> list[Scores]:
        self.calls.append(len(images))
        clean = [int(np.abs(np.diff(image[:, :, 0].astype(int), axis=0)).max()) == 0 for image in images]
        return [scores_of("abcd" if c else "wxyz", ALNUM, sure=0.99 if c else 0.5) for c in clean]


def hatched() -> bytes:
    image = np.full((40, 80, 3), 255, np.uint8)
    image[2::4] = 0
    return encode_png(image)


def test_an_unsure_image_is_voted_on_and_a_sure_one_is_not() -> None:
    recognizer = Hatched()
    clean = encode_png(np.full((40, 80, 3), 255, np.uint8))
    unsure, sure = Solver(recognizer, views=ViewSettings(7, VoteFit(0.9))).solve_batch([hatched(), clean])
    assert (unsure.text, unsure.views) == ("abcd", 7)
    assert (sure.text, sure.views) == ("abcd", 1)
    assert recognizer.calls == [2, 6]  # the further views of all unsure images are one batch
    assert Solver(Hatched()).solve(b"broken").views == 0
    assert Solver(Hatched()).solve(hatched()).text == "wxyz"  # one view, unless more are asked for


def test_an_answer_does_not_depend_on_the_other_images() -> None:
    views = ViewSettings(7, VoteFit(0.9))
    alone = Solver(Hatched(), views=views).solve(hatched())
    among = Solver(Hatched(), views=views).solve_batch([picture(255), hatched(), b"broken", hatched()])[1]
    assert (alone.text, alone.confidence, alone.views) == (among.text, among.confidence, among.views)


def test_what_was_read_once_is_kept_where_a_second_look_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(readings: Sequence[Reading], fit: VoteFit) -> Reading:
        raise OverflowError

    monkeypatch.setattr("captcha_solver.solver.vote", fails)
    solver = Solver(FakeRecognizer(["alpha"]), views=ViewSettings(3, always=True))
    solution = solver.solve(picture(0))
    assert (solution.text, solution.failure, solution.views) == ("alpha", None, 1)
