"""The map of glyphs: its size and scale, and what the network takes."""

import numpy as np
import pytest

from captcha_solver.locate.textmap import AREA_PX, normalised, padded, scaled_down, text_map, unfolded


@pytest.mark.parametrize("size", [(40, 100), (60, 160), (300, 400), (30, 600), (1, 1), (9, 3)])
def test_the_map_covers_the_image(size: tuple[int, int]) -> None:
    found = text_map(np.full((*size, 3), 200, np.uint8))
    high, wide = found.glyphs.shape
    assert (high - 1) * found.spot_height_px < size[0] <= high * found.spot_height_px + 1e-3
    assert (wide - 1) * found.spot_width_px < size[1] <= wide * found.spot_width_px + 1e-3
    assert found.glyphs.dtype == np.float32
    assert 0 <= found.glyphs.min() <= found.glyphs.max() <= 1


def test_a_large_image_is_made_smaller_and_a_small_one_is_not() -> None:
    small, large = np.zeros((40, 100, 3), np.uint8), np.zeros((300, 400, 3), np.uint8)
    assert scaled_down(small) is small
    height, width = scaled_down(large).shape[:2]
    assert 0.9 * AREA_PX < height * width < 1.1 * AREA_PX
    assert abs(width / height - 4 / 3) < 0.05


def test_pixels_are_normalised_and_a_plain_canvas_is_not_blown_up() -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    made = normalised(image)
    assert abs(float(made.mean())) < 1e-3
    assert abs(float(made.std()) - 1) < 1e-3
    assert float(np.abs(normalised(np.full((8, 8, 3), 77, np.uint8))).max()) == 0


def test_padding_repeats_the_edge_to_a_multiple_of_eight() -> None:
    image = np.random.default_rng(0).normal(size=(9, 17, 3)).astype(np.float32)
    made = padded(image)
    assert made.shape == (16, 24, 3)
    assert (made[12, :17] == image[8]).all()
    assert (made[:9, 20] == image[:, 16]).all()


def test_parts_of_cells_are_put_in_their_places() -> None:
    cells = np.zeros((2, 3, 4), np.float32)
    cells[1, 2] = (1, 2, 3, 4)
    assert unfolded(cells)[2:, 4:].tolist() == [[1, 2], [3, 4]]
