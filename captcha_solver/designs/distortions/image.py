"""Distortions of the whole picture: waves, perspective, blur, noise, contrast, and the artefacts of file formats.

Tested in ``tests/designs/distortions/test_kinds.py``.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.scene import Scene
from captcha_solver.designs.knobs import Phase, SceneDistortion, choice, setting, strength


@dataclass(frozen=True, slots=True)
class Whole(SceneDistortion):
    """Base of the distortions that act on the finished picture."""

    @property
    def phase(self) -> Phase:
        return Phase.IMAGE


@dataclass(frozen=True, slots=True)
class Wave(Whole):
    """Shift rows and columns along sines of up to ``amplitude_px``, ``period_px`` long."""

    amplitude_px: float = strength(2.5, 0, 20)
    period_px: float = setting(50, 6, 400)
    resample: str = choice("linear", "nearest")

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        columns, rows = scene.grid()
        a, b = rng.uniform(0.3, 1, 2) * self.amplitude_px
        px, py = rng.uniform(0.6, 1.5, 2) * self.period_px
        shift_x = np.float32(a) * np.sin(rows * np.float32(6.28 / px) + np.float32(rng.uniform(0, 6.28)))
        shift_y = np.float32(b) * np.sin(columns * np.float32(6.28 / py) + np.float32(rng.uniform(0, 6.28)))
        map_x, map_y = (columns + shift_x).astype(np.float32), (rows + shift_y).astype(np.float32)
        if self.resample == "nearest":  # whole pixels: edges stay as hard as they are, and become jagged
            map_x, map_y = np.rint(map_x), np.rint(map_y)
        scene.warp(map_x, map_y)


@dataclass(frozen=True, slots=True)
class Perspective(Whole):
    """Pull the canvas corners inwards by up to ``max_fraction`` of its size."""

    max_fraction: float = strength(0.08, 0, 0.3)

    def apply(self, scene: Scene) -> None:
        size = np.array((scene.width_px, scene.height_px), np.float32)
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        inwards = scene.rng.uniform(0, self.max_fraction, (4, 2)) * (1 - 2 * corners)
        moved = ((corners + inwards) * size).astype(np.float32)
        matrix = cv2.getPerspectiveTransform(moved, corners * size)  # output pixel -> input pixel
        columns, rows = scene.grid()
        denominator = matrix[2, 0] * columns + matrix[2, 1] * rows + matrix[2, 2]
        map_x = (matrix[0, 0] * columns + matrix[0, 1] * rows + matrix[0, 2]) / denominator
        map_y = (matrix[1, 0] * columns + matrix[1, 1] * rows + matrix[1, 2]) / denominator
        scene.warp(map_x.astype(np.float32), map_y.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Swirl(Whole):
    """Turn the middle of the picture against its edge by up to ``max_deg``."""

    max_deg: float = strength(25, 0, 180)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        columns, rows = scene.grid()
        x = columns - scene.width_px * rng.uniform(0.3, 0.7)
        y = rows - scene.height_px * rng.uniform(0.3, 0.7)
        reach = 0.6 * scene.width_px
        angle = np.deg2rad(self.max_deg) * rng.choice([-1.0, 1.0]) * np.exp(-(x**2 + y**2) / (0.35 * reach) ** 2)
        cos, sin = np.cos(angle), np.sin(angle)
        map_x = columns + (x * cos - y * sin) - x
        map_y = rows + (x * sin + y * cos) - y
        scene.warp(map_x.astype(np.float32), map_y.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Ripple(Whole):
    """Smooth random displacement of every pixel by up to ``amplitude_px``, over patches of ``grain_px``."""

    amplitude_px: float = strength(2, 0, 12)
    grain_px: float = setting(16, 4, 100)

    def apply(self, scene: Scene) -> None:
        columns, rows = scene.grid()
        shape = (int(scene.height_px / self.grain_px) + 2, int(scene.width_px / self.grain_px) + 2, 2)
        coarse = scene.rng.uniform(-self.amplitude_px, self.amplitude_px, shape).astype(np.float32)
        shift = cv2.resize(coarse, (scene.width_px, scene.height_px), interpolation=cv2.INTER_CUBIC)
        scene.warp(columns + shift[:, :, 0], rows + shift[:, :, 1])


@dataclass(frozen=True, slots=True)
class Blur(Whole):
    """Gaussian blur."""

    sigma_px: float = strength(0.8, 0, 5)

    def apply(self, scene: Scene) -> None:
        if self.sigma_px > 0.05:
            scene.filter(lambda p: np.asarray(cv2.GaussianBlur(p, (0, 0), self.sigma_px)))


def _smoothed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Weights 1 1 1, 1 5 1, 1 1 1 over 13: nine thirteenths of the mean of 3x3 pixels, and four of the pixel."""
    return np.asarray(cv2.addWeighted(cv2.blur(picture, (3, 3)), 9 / 13, picture, 4 / 13, 0), np.uint8)


@dataclass(frozen=True, slots=True)
class Smooth(Whole):
    """The 3x3 smoothing that many generators end with."""

    passes_count: float = strength(1, 0, 5)

    def apply(self, scene: Scene) -> None:
        for _ in range(round(self.passes_count)):
            scene.filter(_smoothed)


@dataclass(frozen=True, slots=True)
class Sharpen(Whole):
    """Unsharp mask with ``amount_fraction``."""

    amount_fraction: float = strength(0.8, 0, 3)

    def apply(self, scene: Scene) -> None:
        soft = cv2.GaussianBlur(scene.image, (0, 0), 1.2)
        scene.image = cv2.addWeighted(scene.image, 1 + self.amount_fraction, soft, -self.amount_fraction, 0)


@dataclass(frozen=True, slots=True)
class LowContrast(Whole):
    """Take away up to ``loss_fraction`` of the contrast round a random level."""

    loss_fraction: float = strength(0.5, 0, 0.93)

    def apply(self, scene: Scene) -> None:
        keep = 1 - self.loss_fraction
        level = scene.rng.uniform(0, 255) * self.loss_fraction
        scene.image = cv2.convertScaleAbs(scene.image, alpha=keep, beta=level)


@dataclass(frozen=True, slots=True)
class Negative(Whole):
    """Turn the picture into its negative with ``share_probability``."""

    share_probability: float = strength(1, 0, 1)

    def apply(self, scene: Scene) -> None:
        if scene.rng.random() < self.share_probability:
            scene.image = cv2.bitwise_not(scene.image)


FILTERS = {
    "edges": np.array([[-1, 0, -1], [0, 4, 0], [-1, 0, -1]], np.float32),
    "emboss": np.array([[1.5, 0, 0], [0, 0, 0], [0, 0, -1.5]], np.float32),
}


@dataclass(frozen=True, slots=True)
class Edges(Whole):
    """Leave edges alone on mid-grey: what an edge-detection or an emboss filter makes of the picture."""

    gain_fraction: float = strength(1, 0, 2)
    filter: str = choice("edges", "emboss")

    def apply(self, scene: Scene) -> None:
        kernel = FILTERS[self.filter] * np.float32(self.gain_fraction)
        scene.image = np.asarray(cv2.filter2D(scene.image, -1, kernel, delta=127), np.uint8)


@dataclass(frozen=True, slots=True)
class Gray(Whole):
    """Drop the colour with ``share_probability``."""

    share_probability: float = strength(1, 0, 1)

    def apply(self, scene: Scene) -> None:
        if scene.rng.random() < self.share_probability:
            grey = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY)
            scene.image = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


@dataclass(frozen=True, slots=True)
class Noise(Whole):
    """Gaussian noise of ``sigma_levels``, one for all channels or one each."""

    sigma_levels: float = strength(12, 0, 80)
    channels: str = choice("together", "apart")

    def apply(self, scene: Scene) -> None:
        depth = 3 if self.channels == "apart" else 1
        shape = (scene.height_px, scene.width_px, depth)
        grain = scene.rng.standard_normal(shape, np.float32) * np.float32(self.sigma_levels)
        scene.image = np.clip(scene.image + grain, 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class SaltPepper(Whole):
    """Turn ``share_fraction`` of the pixels black, white or any colour."""

    share_fraction: float = strength(0.03, 0, 0.5)
    colour: str = choice("grey", "random")

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        n = int(self.share_fraction * scene.width_px * scene.height_px)
        rows = (rng.random(n) * scene.height_px).astype(np.int32)
        columns = (rng.random(n) * scene.width_px).astype(np.int32)
        if self.colour == "random":
            scene.image[rows, columns] = rng.integers(0, 256, (n, 3), np.uint8)
        else:
            scene.image[rows, columns] = (rng.integers(0, 2, (n, 1), np.uint8)) * np.uint8(255)


@dataclass(frozen=True, slots=True)
class Jpeg(Whole):
    """JPEG artefacts; the loss of quality, 100 minus the JPEG quality, is the strength."""

    loss_quality: float = strength(55, 0, 95)

    def apply(self, scene: Scene) -> None:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(100 - self.loss_quality)]
        _, data = cv2.imencode(".jpg", cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR), quality)
        decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
        scene.image = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True, slots=True)
class FewColours(Whole):
    """Leave only levels ``step_levels`` apart in each channel (the banding of a small palette), dithered or not."""

    step_levels: float = strength(60, 0, 255)
    dither: str = choice("no", "yes")

    def apply(self, scene: Scene) -> None:
        step = max(self.step_levels, 1.0)
        values = scene.image.astype(np.float32)
        if self.dither == "yes":
            values += scene.rng.uniform(-0.5, 0.5, values.shape[:2]).astype(np.float32)[:, :, None] * step
        scene.image = np.clip(np.round(values / step) * step, 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class OneBit(Whole):
    """Threshold the picture to black and white (Otsu 1979)."""

    share_probability: float = strength(1, 0, 1)

    def apply(self, scene: Scene) -> None:
        if scene.rng.random() >= self.share_probability:
            return
        grey = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY)
        _, bits = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        scene.image = cv2.cvtColor(bits, cv2.COLOR_GRAY2RGB)


@dataclass(frozen=True, slots=True)
class Pixelate(Whole):
    """Draw at 1/``block_px`` of the size and enlarge again."""

    block_px: float = strength(1.6, 1, 6)
    resample: str = choice("linear", "nearest")

    def apply(self, scene: Scene) -> None:
        size = (scene.width_px, scene.height_px)
        small = (
            max(8, round(scene.width_px / self.block_px)),
            max(8, round(scene.height_px / self.block_px)),
        )
        mode = cv2.INTER_NEAREST if self.resample == "nearest" else cv2.INTER_LINEAR
        scene.image = cv2.resize(cv2.resize(scene.image, small, interpolation=cv2.INTER_AREA), size, interpolation=mode)
