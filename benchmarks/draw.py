"""Images a second on one core: our drawer and the PyPI `captcha` package, in turn, so that both meet the same machine.

python benchmarks/draw.py [DESIGN] [--rounds N] [--images N]
"""

import argparse
import statistics
import time
from itertools import islice

import cv2
from captcha.image import ImageCaptcha

from captcha_solver.designs.draw import CHUNK, draw_run
from captcha_solver.designs.load import load_design


def main() -> None:
    """Print the median rate of each, the range over the rounds, and their ratio round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("design", nargs="?", default="classic")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=2048, help="of ours a round; the package draws a tenth of them")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    ours, theirs = draw_run(load_design(asked.design), seed=1), ImageCaptcha(160, 60)
    list(islice(ours, 10 * CHUNK))  # fill the cache of glyphs
    rates: list[tuple[float, float]] = []
    for _ in range(asked.rounds):
        start = time.perf_counter()
        list(islice(ours, asked.images))
        middle = time.perf_counter()
        for index in range(asked.images // 10):
            theirs.generate_image(f"{index:04}")
        end = time.perf_counter()
        rates.append((asked.images / (middle - start), asked.images // 10 / (end - middle)))
    for name, column in ((asked.design, 0), ("PyPI captcha", 1)):
        values = [rate[column] for rate in rates]
        print(f"{name:14} {statistics.median(values):7.0f} images/s ({min(values):.0f}-{max(values):.0f})")
    ratios = [a / b for a, b in rates]
    print(f"ratio {statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f}), {asked.rounds} rounds")


if __name__ == "__main__":
    main()
