"""What the Python generators here share: their options, and filling a folder with images and labels.csv.

Tested in ``tests/designs/test_external.py``.
"""

import argparse
import csv
import multiprocessing
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from captcha_solver.charset import parse_charset
from captcha_solver.errors import OptionError


@dataclass(frozen=True, slots=True)
class Order:
    """What to draw: ``count`` images of texts over ``charset``, ``shortest``-``longest`` characters long."""

    count: int
    out: Path
    seed: int
    charset: str
    shortest: int
    longest: int
    width_px: int
    height_px: int
    processes: int


Draw = Callable[[Order, str, random.Random], bytes]
"""Encoded image of a text; every random choice comes from the generator given."""


def read_order(description: str, *, charset: str, length: str, width_px: int, height_px: int) -> Order:
    """The order given on the command line; the arguments here are its defaults."""
    parser = argparse.ArgumentParser(description=description)
    option = parser.add_argument
    option("--count", type=int, required=True, metavar="N", help="images to draw")
    option("--out", type=Path, required=True, metavar="FOLDER", help="filled with PNGs and labels.csv")
    option("--seed", type=int, default=0, metavar="S", help="same seed, same folder (default: 0)")
    option("--charset", default=charset, help=f"a name or the characters (default: {charset})")
    option("--length", default=length, metavar="N|A-B", help=f"characters (default: {length})")
    option("--width", type=int, default=width_px, metavar="PX", help=f"default: {width_px}")
    option("--height", type=int, default=height_px, metavar="PX", help=f"default: {height_px}")
    option("--processes", type=int, default=1, metavar="N", help="draw in N processes (default: 1)")
    given = parser.parse_args()
    shortest, _, longest = given.length.partition("-")
    try:
        order = Order(
            count=given.count,
            out=given.out,
            seed=given.seed,
            charset=parse_charset(given.charset).symbols,
            shortest=int(shortest),
            longest=int(longest or shortest),
            width_px=given.width,
            height_px=given.height,
            processes=given.processes,
        )
    except (ValueError, OptionError) as error:
        parser.error(str(error))
    if not 1 <= order.shortest <= order.longest or min(order.count, order.processes) < 1:
        parser.error("expected counts above 0 and a length such as 4 or 4-6, shortest first")
    return order


def draw_one(draw: Draw, order: Order, number: int) -> tuple[str, str]:
    """Draw and write image ``number``; its file name and text. Depends on the seed and the number alone."""
    rng = random.Random(f"{order.seed}/{number}")
    text = "".join(rng.choices(order.charset, k=rng.randint(order.shortest, order.longest)))
    name = f"{number:05}.png"
    (order.out / name).write_bytes(draw(order, text, rng))
    return name, text


def fill(order: Order, draw: Draw) -> None:
    """Draw every image of ``order``, then write ``labels.csv`` (``filename,label``)."""
    order.out.mkdir(parents=True, exist_ok=True)
    job = partial(draw_one, draw, order)
    if order.processes == 1:
        rows = [job(number) for number in range(order.count)]
    else:
        with multiprocessing.Pool(order.processes) as pool:
            rows = pool.map(job, range(order.count), chunksize=50)
    with (order.out / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("filename", "label"), *rows])
    sys.stderr.write(f"{order.count} images in {order.out}\n")
