"""Animations are made one picture in which all letters stand, and are read correctly."""

import io
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw

from captcha_solver.designs.fonts import load_font
from captcha_solver.image import MOST_FRAMES, read_image, read_picture
from captcha_solver.imaging.frames import Way, one_picture
from captcha_solver.solver import load_solver

TEXT = "7KQ4"
PLACES = [(12, 8), (46, 14), (80, 4), (116, 10)]
FORMS = ["GIF", "PNG", "WEBP"]
Frame = Image.Image


def canvas(level: int = 255) -> Frame:
    return Image.new("RGB", (160, 60), (level,) * 3)


def letters(which: Sequence[int], *, on: Frame | None = None, ink: int = 20, shift: tuple[int, int] = (0, 0)) -> Frame:
    """Letters ``which`` of the text, each at its place."""
    image = canvas() if on is None else on.copy()
    for index in which:
        x, y = PLACES[index]
        place = (x + shift[0], y + shift[1])
        ImageDraw.Draw(image).text(place, TEXT[index], font=load_font("open-sans-bold", 36), fill=(ink,) * 3)
    return image


def lined(image: Frame, seed: int, count: int = 3) -> Frame:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        ends = (0, *rng.integers(0, 60, 1), 160, *rng.integers(0, 60, 1))
        ImageDraw.Draw(image).line(tuple(map(int, ends)), fill=(60, 60, 60), width=2)
    return image


def speckled(image: Frame, seed: int) -> Frame:
    rng = np.random.default_rng(seed)
    for x, y in rng.integers(0, (158, 58), (40, 2)).tolist():
        ImageDraw.Draw(image).rectangle((x, y, x + 2, y + 2), fill=(30, 30, 30))
    return image


def photograph() -> Frame:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(120, 256, (8, 20, 3), dtype=np.uint8))
    return small.resize((160, 60), Image.Resampling.BICUBIC)


def faded(index: int) -> list[Frame]:
    return [letters([index], on=letters(range(index)), ink=ink) for ink in (230, 160, 90, 20)]


ALL = range(4)
ANIMATIONS: dict[str, tuple[Callable[[], list[Frame]], Way]] = {
    "letters are added": (lambda: [letters(range(n + 1)) for n in ALL], Way.FULLEST),
    "letters are added to nothing": (lambda: [letters(range(n)) for n in range(5)], Way.FULLEST),
    "letters are taken away": (lambda: [letters(range(n)) for n in (4, 3, 2, 1)], Way.FULLEST),
    "one letter at a time": (lambda: [letters([n]) for n in ALL], Way.TOGETHER),
    "one letter at a time, backwards": (lambda: [letters([n]) for n in (3, 2, 1, 0)], Way.TOGETHER),
    "one letter at a time, light on dark": (
        lambda: [letters([n], on=canvas(25), ink=240) for n in ALL],
        Way.TOGETHER,
    ),
    "two letters at a time": (lambda: [letters([n, n + 1]) for n in range(3)], Way.TOGETHER),
    "halves": (lambda: [letters([0, 2]), letters([1, 3])], Way.TOGETHER),
    "each letter is missing once": (lambda: [letters([i for i in ALL if i != n]) for n in ALL], Way.TOGETHER),
    "a last letter that blinks": (lambda: [letters([0, 1, 2]), letters(ALL), letters([0, 1, 2])], Way.FULLEST),
    "letters fade in": (lambda: [frame for n in ALL for frame in faded(n)], Way.FULLEST),
    "letters are added to a photograph": (
        lambda: [letters(range(n), on=photograph()) for n in range(5)],
        Way.FULLEST,
    ),
    "the text trembles": (
        lambda: [letters(ALL, shift=shift) for shift in ((0, 0), (2, 1), (-2, 2), (1, -2))],
        Way.FULLEST,
    ),
    "the text wanders": (lambda: [letters(ALL, shift=(2 * n - 8, 0)) for n in range(9)], Way.FULLEST),
    "lines change around the text": (lambda: [lined(letters(ALL), seed) for seed in range(6)], Way.STEADY),
    "specks change around the text": (lambda: [speckled(letters(ALL), seed) for seed in range(6)], Way.STEADY),
}


def animation(frames: Sequence[Frame], form: str) -> bytes:
    buffer = io.BytesIO()
    how = {"lossless": True} if form == "WEBP" else {}
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:], duration=200, loop=0, **how)
    return buffer.getvalue()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ANIMATIONS)
def test_the_text_of_an_animation_is_read(name: str, form: str) -> None:
    make, way = ANIMATIONS[name]
    picture = read_picture(animation(make(), form))
    assert picture.frames > 1
    assert picture.way is way
    solution = load_solver("sliding").solve(animation(make(), form))
    assert solution.text == TEXT


@pytest.mark.parametrize("form", FORMS)
def test_frames_that_are_alike_are_one(form: str) -> None:
    frames = [letters(ALL)] * 3
    frames[1] = frames[1].copy()
    picture = read_picture(animation(frames, form))
    assert (picture.frames, picture.way) == (1, None)
    np.testing.assert_array_equal(picture.pixels, np.array(frames[0]))


def test_frames_on_transparency_are_laid_over_one_colour() -> None:
    """White letters and black ones: neither white nor black shows all of them."""
    frames = []
    for count in range(5):
        frame = Image.new("RGBA", (160, 60), (0, 0, 0, 0))
        for index in range(count):
            ink = (255, 255, 255, 255) if index % 2 else (0, 0, 0, 255)
            ImageDraw.Draw(frame).text(PLACES[index], TEXT[index], font=load_font("open-sans-bold", 36), fill=ink)
        frames.append(frame)
    assert load_solver("sliding").solve(animation(frames, "PNG")).text == TEXT


def test_frames_before_a_broken_one_are_read() -> None:
    data = animation([letters(range(n + 1)) for n in ALL], "GIF")
    assert read_picture(data[: len(data) * 2 // 3]).frames in (2, 3)


def test_only_so_many_frames_are_looked_at() -> None:
    frames = [Image.new("L", (8, 8), n % 250) for n in range(MOST_FRAMES + 20)]
    frames[-1] = Image.new("L", (8, 8), 255)
    data = animation(frames, "GIF")
    assert read_picture(data).frames <= 250
    assert read_image(data).max() < 255


@pytest.mark.parametrize(("columns", "way", "seen"), [((8, 12, 16), Way.TOGETHER, 90), ((3, 3, 3), Way.STEADY, 255)])
def test_new_ink_far_from_the_text_is_kept_and_near_it_left_out(columns: list[int], way: Way, seen: int) -> None:
    """A block that stays, and in each frame a mark in another place, far from the block or beside it."""
    frames = np.full((3, 8, 20, 3), 255, np.uint8)
    frames[:, 1:7, 0:3] = 0
    for index, column in enumerate(columns):
        frames[index, 2 * index + 1, column] = 90
    picture, chosen = one_picture(frames)
    assert chosen is way
    assert picture[4, 1].tolist() == [0, 0, 0]
    assert picture[3, columns[1]].tolist() == [seen] * 3
