"""The locating network: an image of any size, for each of its small cells whether a glyph is in it.

Tested in ``tests/locate/test_textmap.py``.
"""

from typing import Any

DILATIONS = (1, 2, 4, 2)
CELL_PX, PARTS = 4, 2  # a cell of the output is 4 x 4 pixels, in 2 x 2 parts


def build_locator(channels: int = 32) -> Any:
    """A Keras model over whole images, normalised to mean 0 and deviation 1.

    Input shape: (N, H, W, 3) float32, H and W multiples of 4. Output shape: (N, H // 4, W // 4, 4), the logits of glyph
    pixels in the upper left, upper right, lower left and lower right part of each cell of 4 x 4 pixels. Fully
    convolutional, with dilated residual convolutions (Yu and Koltun 2016): each cell sees 81 rows and columns, so that
    a letter is told from a line across the canvas by its neighbours.

    Example: ``build_locator()(np.zeros((1, 64, 160, 3)))`` has shape (1, 16, 40, 4).
    """
    import keras
    from keras import layers

    pixels = keras.Input((None, None, 3), name="image")
    x = _conv(pixels, channels // 2, 5, "stem", strides=2)
    x = _conv(x, channels, 3, "cells", strides=2)
    for number, dilation in enumerate(DILATIONS, 1):
        y = layers.ZeroPadding2D(dilation, name=f"context{number}_pad")(x)
        y = _conv(y, channels, 3, f"context{number}", dilation=dilation)
        x = layers.Add(name=f"context{number}_sum")([x, y])
    return keras.Model(pixels, layers.Conv2D(PARTS * PARTS, 1, name="logits")(x), name="locator")


def _conv(x: Any, filters: int, kernel: int, name: str, *, strides: int = 1, dilation: int = 1) -> Any:
    """A convolution; strided ones see beyond the edges, dilated ones are given padded maps."""
    from keras import layers

    padding = "same" if strides > 1 else "valid"
    x = layers.Conv2D(filters, kernel, strides, padding, dilation_rate=dilation, use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)
