import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.charset import Charset
from captcha_solver.decoding.ctc import align, best_alignment, best_text, log_likelihood
from captcha_solver.decoding.decode import EMPTY, Constraints, decode, parse_length
from captcha_solver.errors import OptionError
from captcha_solver.types import Reading, Scores

AB = Charset("ab")
FREE = Constraints()


def scores(rows: list[list[float]], *, collapse: bool = True) -> Scores:
    """Scores of probabilities (T, C); step i lies at columns 10 i to 10 i + 10."""
    probs = np.array(rows, np.float64).reshape(len(rows), -1)
    edges = np.arange(len(rows) + 1, dtype=np.float32) * 10
    with np.errstate(divide="ignore"):
        return Scores(np.log(probs).astype(np.float32), np.stack([edges[:-1], edges[1:]], axis=1), collapse)


def length(low: int, high: int | None = None) -> Constraints:
    return Constraints(None, low, low if high is None else high)


def test_best_path_merges_repeats_and_drops_blanks() -> None:
    read = decode(
        scores(
            [
                [0.1, 0.8, 0.1],
                [0.2, 0.7, 0.1],
                [0.6, 0.2, 0.2],
                [0.3, 0.5, 0.2],
                [0.1, 0.3, 0.6],
                [0.9, 0.1, 0],
            ]
        ),
        AB,
        FREE,
    )
    assert read.text == "aab"
    assert [c.confidence for c in read.characters] == pytest.approx([0.8, 0.5, 0.6], abs=1e-6)
    assert read.confidence == pytest.approx(0.8 * 0.5 * 0.6, abs=1e-6)
    assert [c.span_px for c in read.characters] == [(0, 20), (30, 40), (40, 50)]
    assert [c.char for c in read.characters] == ["a", "a", "b"]


def test_segments_keep_repeats() -> None:
    read = decode(
        scores([[0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.6, 0.2, 0.2], [0.1, 0.2, 0.7]], collapse=False), AB, FREE
    )
    assert read.text == "aab"
    assert read.confidence == pytest.approx(0.8 * 0.7 * 0.7, abs=1e-6)
    assert [c.span_px for c in read.characters] == [(0, 10), (10, 20), (30, 40)]


@pytest.mark.parametrize("collapse", [True, False])
@pytest.mark.parametrize("limits", [FREE, length(1), length(2, 4)])
def test_nothing_to_read_is_empty(collapse: bool, limits: Constraints) -> None:
    assert decode(Scores(np.zeros((0, 3), np.float32), np.zeros((0, 2), np.float32), collapse), AB, limits) == EMPTY
    assert decode(scores([[0.9, 0.05, 0.05]], collapse=collapse), AB, FREE) == EMPTY


def test_the_charset_narrows_and_renormalises() -> None:
    both = scores([[0.2, 0.5, 0.3]])
    assert decode(both, AB, FREE).text == "a"
    read = decode(both, AB, Constraints("b"))
    assert read.text == "b"
    assert read.confidence == pytest.approx(0.3 / 0.5, abs=1e-6)
    assert decode(scores([[0.4, 0.5, 0.1]]), AB, Constraints("b")) == EMPTY  # nothing (0.4) beats b (0.1)


def test_a_named_charset_narrows_and_no_case_is_exchanged() -> None:
    charset = Charset("aA1")
    row = [0.1, 0.05, 0.75, 0.1]  # nothing, a, A, 1
    assert decode(scores([row]), charset, FREE).text == "A"
    assert decode(scores([row]), charset, Constraints("lower+digits")).text in {"", "1"}
    read = decode(scores([[0.0, 0.2, 0.7, 0.1]]), charset, Constraints("lower+digits"))
    assert read.text == "a"
    assert read.confidence == pytest.approx(0.2 / 0.3, abs=1e-6)


def test_with_case_folded_a_charset_allows_both_cases() -> None:
    given, charset = scores([[0.1, 0.05, 0.75, 0.1]]), Charset("aA1")
    for spec in ("lower+digits", "upper", "a", "A1"):
        assert decode(given, charset, Constraints(spec, fold_case=True)).text == "A", spec
    assert Constraints("a\u00df1", fold_case=True).symbols() == "aA\u00df1"  # a capital sharp s is two characters
    assert Constraints(fold_case=True).symbols() is None


def test_a_charset_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(OptionError, match=r"expected characters the model reads \(ab\), received 'xyz'"):
        decode(scores([[0.2, 0.5, 0.3]]), AB, Constraints("xyz"))
    assert decode(scores([[0.2, 0.5, 0.3]]), AB, Constraints("xb")).text == "b"


def test_scores_of_another_charset_are_refused() -> None:
    with pytest.raises(OptionError, match="expected scores for 3 classes"):
        decode(scores([[0.5, 0.5]]), AB, FREE)


def test_temperature_changes_confidence_by_its_definition_and_never_the_text() -> None:
    rows = [[0.1, 0.8, 0.1], [0.9, 0.05, 0.05], [0.2, 0.2, 0.6]]
    warm = decode(scores(rows), AB, FREE, temperature=2.0)
    roots = np.sqrt(np.array(rows))
    expected = (roots[0] / roots[0].sum())[1] * (roots[2] / roots[2].sum())[2]
    assert warm.text == "ab"
    assert warm.confidence == pytest.approx(expected, abs=1e-6)
    for limits in (FREE, length(3), Constraints("b")):
        texts = {decode(scores(rows), AB, limits, temperature=t).text for t in (0.1, 0.5, 1.0, 3.0, 50.0)}
        assert len(texts) == 1


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_is_above_zero(temperature: float) -> None:
    with pytest.raises(OptionError, match="temperature above 0"):
        decode(scores([[0.2, 0.5, 0.3]]), AB, FREE, temperature)


def test_a_length_finds_what_the_best_path_misses() -> None:
    """By hand: paths of "a" are aa, a-, -a: 0.16 + 0.24 + 0.24 = 0.64 against 0.36 of the best path, --."""
    rows = [[0.6, 0.4, 0.0], [0.6, 0.4, 0.0]]
    assert decode(scores(rows), AB, FREE) == EMPTY
    read = decode(scores(rows), AB, length(1))
    assert read.text == "a"
    assert read.confidence == pytest.approx(0.4, abs=1e-6)


def test_a_length_drops_or_adds_the_least_sure_character() -> None:
    rows = [[0.1, 0.9, 0], [0.9, 0.1, 0], [0.4, 0, 0.6], [0.9, 0.1, 0], [0.05, 0.95, 0]]
    assert decode(scores(rows), AB, FREE).text == "aba"
    assert decode(scores(rows), AB, length(2)).text == "aa"
    assert decode(scores(rows), AB, length(1)).text in {"a"}
    assert decode(scores(rows), AB, length(2, 3)).text == "aba"


def test_a_text_longer_than_its_rows_is_not_read() -> None:
    rows = [[0.1, 0.9, 0.0]] * 3
    assert decode(scores(rows), AB, length(4)) == EMPTY
    assert decode(scores(rows), Charset("ab"), Constraints("a", 2, 2)).text == "aa"
    assert decode(scores(rows), Charset("ab"), Constraints("a", 3, 3)) == EMPTY  # equal letters need blanks between
    assert decode(scores(rows), AB, length(3)).text == "aba"


def test_segments_of_a_length_are_the_exact_maximum() -> None:
    rows = [[0.5, 0.4, 0.1], [0.1, 0.1, 0.8], [0.7, 0.3, 0.0], [0.3, 0.3, 0.4]]
    assert decode(scores(rows, collapse=False), AB, FREE).text == "bb"
    assert decode(scores(rows, collapse=False), AB, length(1)).text == "b"
    assert decode(scores(rows, collapse=False), AB, length(3)).text == "abb"
    assert decode(scores(rows, collapse=False), AB, length(4)).text == "abab"
    assert decode(scores(rows, collapse=False), AB, length(5)) == EMPTY


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(key for key, _ in itertools.groupby(path) if key)


def every_text(log_probs: NDArray[np.float64], collapse: bool) -> dict[tuple[int, ...], float]:
    """The probability of every text, over all of its alignments (or, for segments, of its best one)."""
    totals: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        p = float(np.exp(log_probs[np.arange(len(path)), path].sum()))
        text = collapsed(path) if collapse else tuple(c for c in path if c)
        totals[text] = totals.get(text, 0.0) + p if collapse else max(totals.get(text, 0.0), p)
    return totals


def random_rows(rng: np.random.Generator, steps: int, classes: int, peak: float) -> NDArray[np.float64]:
    logits = rng.normal(0, peak, (steps, classes))
    result: NDArray[np.float64] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return result


@pytest.mark.parametrize("collapse", [True, False])
def test_random_scores_against_all_alignments(collapse: bool) -> None:
    rng = np.random.default_rng(3)
    for _ in range(120):
        steps, classes = int(rng.integers(1, 6)), int(rng.integers(2, 5))
        log_probs = random_rows(rng, steps, classes, float(rng.uniform(0.3, 4)))
        low = int(rng.integers(1, 5))
        high = int(rng.integers(low, 6))
        charset = Charset("abc"[: classes - 1])
        spans = np.zeros((steps, 2), np.float32)
        given = Scores(log_probs.astype(np.float32), spans, collapse)
        read = decode(given, charset, length(low, high))
        fitting = {t: p for t, p in every_text(log_probs, collapse).items() if low <= len(t) <= high}
        if not fitting:
            assert read == EMPTY
            continue
        text = tuple(charset.encode(read.text))
        assert fitting[text] == pytest.approx(max(fitting.values()), rel=1e-4)


def test_free_reading_is_the_best_path() -> None:
    rng = np.random.default_rng(4)
    for _ in range(100):
        log_probs = random_rows(rng, 6, 4, 2.0)
        read = decode(Scores(log_probs.astype(np.float32), np.zeros((6, 2), np.float32), True), Charset("abc"), FREE)
        assert tuple(Charset("abc").encode(read.text)) == collapsed(tuple(log_probs.argmax(axis=1)))


def test_the_beam_is_wide_enough_for_strips_like_those_of_a_network() -> None:
    """Eight characters, each unsure among a few over two rows, blanks between, some of them unsure too."""
    rng = np.random.default_rng(5)
    for _ in range(4):
        logits = rng.normal(0, 1, (48, 63))
        logits[:, 0] += 9
        for start in range(2, 46, 6):
            logits[start : start + 2, rng.integers(1, 63, 4)] += rng.uniform(6, 12, 4)
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        for low, high in ((6, 6), (8, 8)):
            narrow, wide = (best_text(log_probs, low, high, width=width) for width in (8, 40))
            assert log_likelihood(log_probs, narrow) >= log_likelihood(log_probs, wide) - 1e-6


def test_log_likelihood_sums_all_alignments() -> None:
    rng = np.random.default_rng(7)
    for steps in (1, 2, 5):
        log_probs = random_rows(rng, steps, 3, 2.0)
        for text, p in every_text(log_probs, True).items():
            assert log_likelihood(log_probs, text) == pytest.approx(np.log(p))


def test_best_alignment_is_the_best_path_of_an_allowed_length() -> None:
    rng = np.random.default_rng(8)
    for _ in range(60):
        log_probs = random_rows(rng, 5, 3, 2.0)
        low = int(rng.integers(1, 4))
        high = int(rng.integers(low, 5))
        paths = [p for p in itertools.product(range(3), repeat=5) if low <= len(collapsed(p)) <= high]
        best = max(paths, key=lambda p: log_probs[np.arange(5), p].sum())
        assert best_alignment(log_probs, low, high) == collapsed(best)
    assert best_alignment(log_probs, 6, 5) == ()


def test_align_finds_the_best_rows() -> None:
    rng = np.random.default_rng(6)
    for _ in range(60):
        log_probs = random_rows(rng, 5, 3, 2.0)
        text = tuple(int(c) for c in rng.integers(1, 3, int(rng.integers(1, 4))))
        paths = [p for p in itertools.product(range(3), repeat=5) if collapsed(p) == text]
        best = max(paths, key=lambda p: log_probs[np.arange(5), p].sum())
        expected = [
            (key, rows[0], rows[-1] + 1)
            for key, rows in ((k, [i for i, _ in g]) for k, g in itertools.groupby(enumerate(best), lambda e: e[1]))
            if key
        ]
        assert align(log_probs, text) == expected
    assert align(random_rows(rng, 5, 3, 2.0), ()) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [("4", (4, 4)), ("4-6", (4, 6)), (" 1 - 12 ", (1, 12)), (5, (5, 5)), ("7-7", (7, 7))],
)
def test_lengths(spec: str | int, expected: tuple[int, int]) -> None:
    assert parse_length(spec) == expected


@pytest.mark.parametrize(
    "spec",
    ["9-2", "0", "0-4", "-4", "4-", "", "four", "4.5", "1-2-3", "4--6", "٤", "1e3", 0, -1, "99999999999"],
)
def test_impossible_lengths(spec: str | int) -> None:
    with pytest.raises(OptionError, match="expected a length N or a range A-B"):
        parse_length(spec)


@pytest.mark.parametrize(("low", "high"), [(0, None), (3, 2), (None, 0), (-1, 4)])
def test_impossible_constraints(low: int | None, high: int | None) -> None:
    with pytest.raises(OptionError, match="expected a length"):
        Constraints(None, low, high)


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (FREE, ""),
        (length(4), "4"),
        (length(4, 6), "4-6"),
        (Constraints(None, 3), "3-"),
        (Constraints(None, None, 5), "1-5"),
    ],
)
def test_length_text(limits: Constraints, text: str) -> None:
    assert limits.length_text() == text


def test_open_ranges() -> None:
    rows = [[0.1, 0.9, 0], [0.9, 0.1, 0], [0.4, 0, 0.6], [0.9, 0.1, 0], [0.05, 0.95, 0]]
    assert decode(scores(rows), AB, Constraints(None, None, 2)).text == "aa"
    assert len(decode(scores(rows), AB, Constraints(None, 4)).text) >= 4


def test_zero_probabilities_do_no_harm() -> None:
    read: Reading = decode(scores([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), AB, length(3))
    assert len(read.text) in {0, 3}
    assert decode(scores([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), AB, FREE).confidence == pytest.approx(1)
