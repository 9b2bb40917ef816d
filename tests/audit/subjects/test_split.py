"""The two parts of a subject's images: none in both, enough to conclude from, and what is wrong with them is said."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image

from captcha_solver.audit.subjects.duplicates import look_at
from captcha_solver.audit.subjects.function import CallableSubject
from captcha_solver.audit.subjects.split import split
from captcha_solver.audit.subjects.subject import DesignSubject
from captcha_solver.errors import DatasetError
from captcha_solver.types import Sample
from tests.audit.fake_attackers import images, shop, tiny
from tests.fakes import encoded


@pytest.fixture(scope="module")
def drawn() -> list[Sample]:
    return images(120)


@pytest.mark.parametrize(
    ("count", "asked", "tested", "pool"),
    [
        (30, 500, 30, 0),  # all are tested
        (60, 500, 30, 30),  # 0.4 of them would be too few
        (100, 500, 40, 60),
        (100, 35, 35, 65),  # no more than asked for
    ],
)
def test_how_a_folder_is_divided(count: int, asked: int, tested: int, pool: int, drawn: list[Sample]) -> None:
    parts = split(shop(drawn[:count]), labels=1000, tested=asked, seed=0)
    assert (len(parts.tested), len(parts.pool)) == (tested, pool)
    assert not {each.id for each in parts.tested} & {each.id for each in parts.pool}
    assert {each.id for each in (*parts.tested, *parts.pool)} == {each.id for each in drawn[:count]}
    assert parts == split(shop(drawn[:count]), labels=1000, tested=asked, seed=0)
    assert parts.tested != split(shop(drawn[:count]), labels=1000, tested=asked, seed=1).tested


def test_what_can_be_drawn_is_drawn_apart() -> None:
    parts = split(DesignSubject(tiny()), labels=40, tested=30, seed=0)
    assert (len(parts.pool), len(parts.tested)) == (40, 30)
    assert not {each.image for each in parts.pool} & {each.image for each in parts.tested}
    assert parts.flags == ()


def test_what_is_tested_is_drawn_first() -> None:
    """A program that hangs is given a time for each image that it is to draw: for the fewer, less is waited."""
    counts: list[int] = []

    class Noted(CallableSubject):
        def samples(self, count: int, seed: int) -> list[Sample]:
            counts.append(count)
            return DesignSubject(tiny()).samples(count, seed)

    split(Noted("own:draw"), labels=50, tested=40, seed=0)
    assert counts == [40, 50]


def test_images_of_both_parts_are_tested_no_more(drawn: list[Sample]) -> None:
    twice = [*drawn, *(replace(each, id=f"again-{each.id}") for each in drawn[:20])]
    parts = split(shop(twice), labels=1000, tested=500, seed=0)
    seen = [each.image for each in parts.pool]
    assert not {each.image for each in parts.tested} & set(seen)
    assert parts.duplicates == 56 - len(parts.tested) > 0
    assert f"{parts.duplicates} images of the tested part are also in the labelled part: taken out" in parts.flags


def long(samples: list[Sample], count: int) -> list[Sample]:
    return [replace(each, text="1" * 60) if i < count else each for i, each in enumerate(samples)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found[:29], "at least 30 images to test on, received 29; 299 are needed to say"),
        (lambda found: [], "at least 30 images to test on, received 0"),
        (
            lambda found: [replace(each, image=found[0].image) for each in found],
            "expected images that differ, received 60 that are all the same",
        ),
        (
            lambda found: [replace(each, image=each.text.encode()) for each in found],
            "expected images, received 60 files none of which can be read as one",
        ),
        (
            lambda found: long(found, 40),
            "labels that fit into their images, received 40 of 60 with more characters than there is room for, such "
            f"as '{'1' * 40}...' .60 characters. of .*.png, where a network that reads it whole has room for [0-9]+$",
        ),
    ],
)
def test_images_that_nothing_can_be_concluded_from(
    change: Callable[[list[Sample]], list[Sample]], said: str, drawn: list[Sample]
) -> None:
    with pytest.raises(DatasetError, match=f"^shop: .*{said}") as caught:
        split(shop(change(drawn[:60])), labels=1000, tested=500, seed=0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found, None),
        (lambda found: long(found, 3), "3 labels have more characters than their image has room for"),
        (
            lambda found: [replace(each, image=each.text.encode()) if i < 2 else each for i, each in enumerate(found)],
            "2 files cannot be read as images, such as ",
        ),
        (
            lambda found: [replace(each, text="ж" + each.text[1:]) if i < 5 else each for i, each in enumerate(found)],
            "characters 'ж' are known to none of the shipped models: the 5 images with them",
        ),
        (
            lambda found: [replace(each, text=found[0].text) if i < 70 else each for i, each in enumerate(found)],
            "70 images share their text with another",
        ),
    ],
)
def test_what_is_wrong_with_some_is_said(
    change: Callable[[list[Sample]], list[Sample]], said: str | None, drawn: list[Sample]
) -> None:
    flags = split(shop(change(drawn)), labels=1000, tested=500, seed=0).flags
    flags = tuple(flag for flag in flags if "are tested and are in no label" not in flag)
    assert [said in flag for flag in flags] == [True] if said else flags == ()


def test_a_character_that_no_label_has_is_named(drawn: list[Sample]) -> None:
    parts = split(shop(drawn), labels=1000, tested=500, seed=0)
    odd = [replace(each, text="Q" * len(each.text)) if each.id == parts.tested[0].id else each for each in drawn]
    known = [replace(each, text=each.text.replace("Q", "7")) if each.text[0] != "Q" else each for each in odd]
    flags = split(shop(known), labels=1000, tested=500, seed=0).flags
    assert any("'Q' are tested and are in no label" in flag for flag in flags)


@pytest.mark.parametrize(
    ("width", "room"),
    [(10, 12), (100, 20), (400, 20)],  # at least 48 pixels, four a column; at most 20 characters
)
def test_how_many_characters_an_image_has_room_for(width: int, room: int) -> None:
    black = Image.new("RGB", (width, 40), "white")
    black.paste((0, 0, 0), (2, 2, width - 2, 38))
    (look,) = look_at([Sample("a", encoded(black), "1" * room, "own")])
    assert look.room == room
    assert look.fits == (width == 400)  # equal neighbours need a column between them
    assert look_at([Sample("a", encoded(black), "12" * (room // 2), "own")])[0].fits
    assert not look_at([Sample("a", encoded(black), "12" * room, "own")])[0].fits
