"""Sums are found from their results, by what the network reads; what cannot be found is said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captcha_solver.arithmetic.expressions import parse_expression
from captcha_solver.charset import Charset
from captcha_solver.dataset import read_folder, write_folder
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import parse_design
from captcha_solver.errors import DatasetError, OptionError
from captcha_solver.image import encode_png
from captcha_solver.models.bundle import Bundle, load_bundle, shipped_bundles
from captcha_solver.training import run as running
from captcha_solver.training.recipes.sums import (
    SURE,
    check_results,
    emissions_of,
    expressions_in,
    is_result,
    written_out,
)
from captcha_solver.training.run import TrainOptions, TrainRequest, run
from captcha_solver.types import Sample


@pytest.fixture(scope="module")
def sliding() -> Bundle:
    return load_bundle(shipped_bundles()["sliding"])


def drawn(count: int, written: str) -> list[Sample]:
    """Images of sums, labelled with the sums."""
    text = f'[canvas]\nwidth_px = 240\n[text]\nkind = "expression"\nlargest = 12\nwritten = "{written}"\n'
    drawings = draw_batch(parse_design(text, "sums"), [None] * count, np.random.default_rng(6))
    return [Sample(str(i), encode_png(each.image), each.text, "sums") for i, each in enumerate(drawings)]


def by_result(samples: list[Sample]) -> list[Sample]:
    found = [parse_expression(sample.text) for sample in samples]
    return [replace(sample, text=str(each.value)) for sample, each in zip(samples, found, strict=True) if each]


@pytest.mark.parametrize("written", ["digits", "en"])
def test_what_is_sure_is_right(sliding: Bundle, written: str) -> None:
    samples = drawn(40, written)
    solved = expressions_in(by_result(samples), sliding)
    right = [
        parse_expression(each.sample.text) == parse_expression(sample.text)
        for each, sample in zip(solved, samples, strict=True)
        if each.posterior >= SURE
    ]
    assert len(right) >= 24
    assert np.mean(right) > 0.9


def test_a_result_that_no_sum_gives_is_never_sure(sliding: Bundle) -> None:
    samples = by_result(drawn(20, "en"))
    solved = expressions_in([*samples, replace(samples[0], text="100000")], sliding)
    assert solved[-1].posterior == 0


def test_labels_that_are_sums_stay(sliding: Bundle) -> None:
    samples = drawn(24, "digits")
    mixed = [*by_result(samples)[:23], samples[23]]
    solved = expressions_in(mixed, sliding)
    assert solved[23].sample.text == samples[23].text
    assert solved[23].posterior == 1


def test_a_sign_that_is_not_known_is_any_other_character() -> None:
    charset = Charset("0123456789t")
    rows = np.full((5, charset.classes), 1e-4)
    for row, column in enumerate((4, 11, 5)):  # 3, t, 4
        rows[row, column] = 1
    rows[3:, 0] = 1
    found = emissions_of(np.log(rows / rows.sum(axis=1, keepdims=True)).astype(np.float32), charset)
    sums = found.of(["3+4", "3+5", "5+4"])
    assert sums.argmax() == 0
    assert sums[0] > sums[1] + 5


@pytest.mark.parametrize("label", ["", "abc", "7.5", "100000", "3/4"])
def test_what_no_sum_gives_is_an_error(label: str) -> None:
    with pytest.raises(DatasetError, match=r"received .* of b, which no sum of two numbers up to 99 gives"):
        check_results([Sample("a", b"", "7", "x"), Sample("b", b"", label, "x")], "folder")


def test_results_and_sums_are_told_apart() -> None:
    assert [is_result(text) for text in ("7", "-3", " 12 ", "3+4", "seven", "")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_images_that_say_nothing_are_nothing_to_start_from(sliding: Bundle) -> None:
    blank = encode_png(np.full((60, 160, 3), 255, np.uint8))
    with pytest.raises(DatasetError, match="at least 8 sums surely enough to learn from, received 0 of 30"):
        expressions_in([Sample(str(i), blank, "12", "x") for i in range(30)], sliding)


def test_folders_are_written_out_with_their_sums(sliding: Bundle, tmp_path: Path) -> None:
    samples = drawn(30, "en")
    write_folder(by_result(samples), tmp_path / "results")
    (source,) = written_out([f"{tmp_path / 'results'}:2"], sliding, tmp_path / "out", (SURE, None))
    assert source == f"{tmp_path / 'out' / '0'}:2.0"
    texts = [sample.text for sample in read_folder(tmp_path / "out" / "0")]
    assert len(texts) >= 24
    assert all(parse_expression(text) is not None for text in texts)
    with pytest.raises(OptionError, match="received the design 'plain'"):
        written_out(["plain"], sliding, tmp_path / "none", (SURE, None))


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    asked = TrainOptions(max_steps=1)
    plain = TrainRequest((str(tmp_path),), tmp_path / "o", "sliding", None, None, asked, answer="result")
    with pytest.raises(OptionError, match="train --from one"):
        run(plain)
    with pytest.raises(OptionError, match="route sliding alone"):
        run(replace(plain, route="segmented"))
    with pytest.raises(OptionError, match="expression, result"):
        run(replace(plain, answer="sum"))


def test_nothing_is_left_of_finding_the_sums(sliding: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "o" / "checkpoint" / "first"
    left.mkdir(parents=True)
    monkeypatch.setitem(running.TASKS, "sliding", lambda request, start: sliding)
    request = TrainRequest(("x",), tmp_path / "o", "sliding", "sliding", None, TrainOptions(max_steps=1))
    run(request)
    assert left.exists(), "of another training, it is resumed from"
    run(replace(request, answer="result"))
    assert not left.exists()


def test_a_first_model_reads_the_sums_for_the_second(
    sliding: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = drawn(40, "digits")
    write_folder(by_result(samples), tmp_path / "results")
    trained: list[TrainRequest] = []

    def train(request: TrainRequest, start: Bundle | None) -> Bundle:
        trained.append(request)
        return sliding

    monkeypatch.setitem(running.TASKS, "sliding", train)
    asked = TrainOptions(max_steps=100)
    request = TrainRequest(
        (str(tmp_path / "results"),), tmp_path / "o", "sliding", "sliding", 30, asked, answer="result"
    )
    second = running.with_sums(request, sliding)
    (first,) = trained
    assert (first.options.max_steps, second.options.max_steps) == (25, 75)
    assert (first.answer, second.answer, first.labels, second.labels) == (None, None, None, None)
    for made in (first, second):
        (source,) = made.sources
        found = read_folder(Path(source.rpartition(":")[0]))
        assert 20 <= len(found) <= 30
        assert all(parse_expression(sample.text) is not None for sample in found)
    plain = running.with_sums(replace(request, options=TrainOptions()), sliding)
    assert plain.options.minutes == 7.5
