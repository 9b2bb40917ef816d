"""The digit network: logits over "not a digit" and the ten digits, from 28x28 ink images.

Tested in ``tests/training/tasks/test_digits.py``.
"""

from typing import Any

GLYPH_PX = 28
SYMBOLS = "0123456789"
KERNELS = (20, 20, 20, 50, 50, 50)
KERNEL_PX = 5


def build_digits() -> Any:
    """Six valid 5x5 convolutions, each kernel spanning all maps before it, then a fully connected layer.

    Input shape:
        (N, 28, 28, 1) float32 0-1, ink = 1. The maps shrink 28, 24, 20, 16, 12, 8, 4 pixels wide.
    Output shape:
        (N, 11) logits: class 0 "not a digit", class ``d + 1`` the digit ``d``. The softmax over
        them, the network's last step, is left to the reader of the logits, as with every other model here.

    >>> build_digits().output_shape
    (None, 11)
    """
    import keras

    image = keras.Input((GLYPH_PX, GLYPH_PX, 1), name="image")
    maps = image
    for number, kernels in enumerate(KERNELS, start=1):
        maps = keras.layers.Conv2D(
            kernels,
            KERNEL_PX,
            padding="valid",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )(maps)
    values = keras.layers.Flatten(name="flatten")(maps)
    values = keras.layers.Dropout(0.3, name="dropout")(values)
    return keras.Model(image, keras.layers.Dense(len(SYMBOLS) + 1, name="logits")(values), name="digits")
