"""Images without transparency for readers that each would lay it on a colour of their own.

Tested in ``tests/benchmarks/peers/test_measure.py``.
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

ALPHA = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})


def flattened(paths: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """The same images in order; those that can be transparent are laid on white and lie in ``folder`` as RGB PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_flat(path, folder / f"{number}.png") for number, path in enumerate(paths))


def _flat(path: Path, to: Path) -> Path:
    """``path`` itself where there is nothing to do, or where the reader shall be the one to say that it is no image."""
    try:
        with Image.open(path) as image:
            if image.mode not in ALPHA and "transparency" not in image.info:
                return path
            above = image.convert("RGBA")
    except (OSError, SyntaxError, ValueError):
        return path
    Image.alpha_composite(Image.new("RGBA", above.size, "white"), above).convert("RGB").save(to, "PNG")
    return to
