"""The glyph network: logits over "not a glyph" and the charset, from crops of candidate pieces."""

from typing import Any


def build_glyph(classes: int, glyph_px: int = 32) -> Any:
    """A compact Keras network of about 0.4 million weights.

    Input shape: (None, glyph_px, glyph_px, 1) float32, 0-1, ink = 1. Output shape: (None, classes), logits.
    An image has a hundred candidates, so the first convolution already halves the side, and each later block
    trades side for depth. The last maps are flattened, not averaged: *where* a stroke is tells 6 from 9.

    >>> build_glyph(63).output_shape
    (None, 63)
    """
    import keras

    layers = keras.layers
    inputs = keras.Input((glyph_px, glyph_px, 1), name="glyph")
    x = _block(inputs, 1, filters=32, size=5, strides=2)
    x = _block(x, 2, filters=48)
    x = layers.MaxPooling2D(2, name="block2_pool")(x)
    x = _block(x, 3, filters=80)
    x = layers.MaxPooling2D(2, name="block3_pool")(x)
    x = _block(x, 4, filters=128)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.Dense(128, use_bias=False, name="dense1")(x)
    x = layers.BatchNormalization(name="dense1_norm")(x)
    x = layers.ReLU(name="dense1_relu")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="glyph")


def _block(x: Any, number: int, *, filters: int, size: int = 3, strides: int = 1) -> Any:
    """Convolution, batch normalisation, ReLU; the sides are divided by ``strides``."""
    from keras import layers

    name = f"block{number}"
    x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
