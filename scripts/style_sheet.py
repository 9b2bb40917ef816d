"""Draw a sheet of random styles of a design that has ``[style]``, and count how many distortions its styles have.

python -m scripts.style_sheet [DESIGN] [--styles N] [--seed S] [--out PNG]

A style is shown by two images of it, one above the other, so that one sees what its images share.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from PIL import Image

from captcha_solver.designs.design import Design
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.drawing.styles import style_of
from captcha_solver.designs.load import load_design
from captcha_solver.errors import CaptchaSolverError
from captcha_solver.types import Rgb

COLUMNS = 6
WIDTH_PX, HEIGHT_PX, GAP_PX = 200, 70, 8  # of an image's place, and between places
LARGEST_ZOOM = 2.0
PAPER = (225, 225, 225)
SOME, MANY = 3, 6  # distortions
COUNTED = 4000  # styles


def two_images(design: Design, rng: np.random.Generator) -> list[Rgb]:
    """Two images, each (H, W, 3) uint8, of one new style."""
    return [drawing.image for drawing in draw_batch(design, [None, None], rng)]


def sheet_of(styles: Sequence[Sequence[Rgb]]) -> Image.Image:
    """Styles in rows of ``COLUMNS``, the images of each one above the other, scaled to fit their places."""
    across, down = WIDTH_PX + GAP_PX, 2 * HEIGHT_PX + 2 * GAP_PX
    rows = -(-len(styles) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * across + GAP_PX, rows * down + GAP_PX), PAPER)
    for place, images in enumerate(styles):
        row, column = divmod(place, COLUMNS)
        for index, image in enumerate(images):
            zoom = min(WIDTH_PX / image.shape[1], HEIGHT_PX / image.shape[0], LARGEST_ZOOM)
            size = (max(1, round(image.shape[1] * zoom)), max(1, round(image.shape[0] * zoom)))
            how = Image.Resampling.LANCZOS if zoom < 1 else Image.Resampling.NEAREST
            left = GAP_PX + column * across + (WIDTH_PX - size[0]) // 2
            top = GAP_PX + row * down + index * (HEIGHT_PX + GAP_PX // 4) + (HEIGHT_PX - size[1]) // 2
            sheet.paste(Image.fromarray(image).resize(size, how), (left, top))
    return sheet


def counts_of(design: Design, rng: np.random.Generator, *, styles: int = COUNTED) -> list[int]:
    """How many distortions each of so many random styles has."""
    return [len(style_of(design, rng, any_text=True)[0].distortions) for _ in range(styles)]


def table(counts: Sequence[int]) -> list[str]:
    """Markdown rows: how many of the styles have few, some and many distortions."""
    spans = [("none", 0, 1), (f"1 or {SOME - 1}", 1, SOME), (f"{SOME} to {MANY - 1}", SOME, MANY)]
    spans.append((f"{MANY} or more", MANY, max(counts) + 1))
    shares = [sum(low <= count < high for count in counts) / len(counts) for _, low, high in spans]
    rows = [f"| {name} | {100 * share:.0f} |" for (name, _, _), share in zip(spans, shares, strict=True)]
    return ["| distortions | styles, % |", "|---|---:|", *rows]


@click.command()
@click.argument("name", default="wild")
@click.option("--styles", default=60, show_default=True, type=click.IntRange(1, 600))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option("--out", default="runs/styles.png", show_default=True, type=click.Path(path_type=Path, dir_okay=False))
def main(name: str, styles: int, seed: int, out: Path) -> None:
    """Draw a sheet of styles of the design NAME."""
    try:
        design = load_design(name)
    except CaptchaSolverError as error:
        raise click.ClickException(str(error)) from error
    if design.style is None:
        raise click.ClickException(f"expected a design with [style], received {name!r}, which has none")
    rng = np.random.default_rng(seed)
    sheet = sheet_of([two_images(design, rng) for _ in range(styles)])
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(200, dither=Image.Dither.NONE).save(out, optimize=True)
    click.echo("\n".join(table(counts_of(design, rng))))
    click.echo(f"sheet: {out}")


if __name__ == "__main__":
    main()
