"""What becomes of a finished picture on its way to the page: the palette of a GIF, and another size.

Tested in ``tests/designs/distortions/test_lattices.py``.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from captcha_solver.designs.distortions.image import Whole
from captcha_solver.designs.drawing.scene import MAX_SIDE_PX, Scene
from captcha_solver.designs.knobs import choice, setting, strength

MIN_SIDE_PX = 8
RESAMPLE = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


@dataclass(frozen=True, slots=True)
class Gif(Whole):
    """Leave ``palette_colours`` colours fitted to the picture, as a GIF has them, dithered (Floyd-Steinberg) or not."""

    share_probability: float = strength(1, 0, 1)
    palette_colours: float = setting(16, 4, 64)
    dither: str = choice("none", "floyd-steinberg")

    def apply(self, scene: Scene) -> None:
        if scene.rng.random() >= self.share_probability:
            return
        picture = Image.fromarray(scene.image)
        few = picture.quantize(round(self.palette_colours), Image.Quantize.MEDIANCUT)
        if self.dither == "floyd-steinberg":  # Pillow dithers to a given palette only
            few = picture.quantize(palette=few, dither=Image.Dither.FLOYDSTEINBERG)
        scene.image = np.array(few.convert("RGB"))  # a copy: what Pillow lends is read-only


@dataclass(frozen=True, slots=True)
class Rescale(Whole):
    """Make the picture ``scale_fraction`` times as wide and high; no side gets longer than 2,048 px."""

    share_probability: float = strength(1, 0, 1)
    scale_fraction: float = setting(1.5, 0.5, 3)
    resample: str = choice("linear", "nearest", "cubic")

    def apply(self, scene: Scene) -> None:
        if scene.rng.random() >= self.share_probability:
            return
        longest, shortest = max(scene.width_px, scene.height_px), min(scene.width_px, scene.height_px)
        factor = max(min(self.scale_fraction, MAX_SIDE_PX / longest), MIN_SIDE_PX / shortest)
        scene.resize((round(scene.width_px * factor), round(scene.height_px * factor)), RESAMPLE[self.resample])
