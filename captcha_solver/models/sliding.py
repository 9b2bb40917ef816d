"""The sliding network: a row of class logits for every four columns of a strip of any width.

Tested in ``tests/training/tasks/test_sliding.py``.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SlidingSize:
    """How wide each stage is, and how deep: further residual convolutions of each block, kernel widths of the context.

    ``early`` halves the rows before block 2 instead of before block 3. ``gates`` weighs the channels of blocks 2 and 3
    by their means over the strip, and ``attention`` lets every column look at all others: both tell a letter what the
    rest of the text looks like.
    """

    stem: int = 24
    block1: int = 48
    block2: int = 80
    block3: int = 112
    context: int = 160
    further: tuple[int, int, int] = (0, 0, 0)
    kernels: tuple[int, ...] = (3, 5)
    early: bool = False
    gates: bool = False
    attention: bool = False


NETWORKS = {
    "base": SlidingSize(),
    "small": SlidingSize(stem=16, block1=24, block2=56, block3=72, context=128, early=True),  # a third of the work
    "deep": SlidingSize(further=(1, 2, 2), kernels=(3, 5, 5), gates=True, attention=True),  # twice the work
}
HEADS, HEAD_CHANNELS = 4, 32


def build_sliding(strip_px: int, classes: int, size: SlidingSize | None = None) -> Any:
    """A Keras model for strips of height ``strip_px`` (a multiple of 8).

    Input shape: (N, strip_px, W, 3), float 0-1. Output shape: (N, W // 4, classes), logits; class 0 is the CTC
    blank (Graves et al. 2006, "Connectionist Temporal Classification"). Without attention fully convolutional; each
    output column of the base network sees 73 input columns, about three glyphs, so that a letter is read with its
    neighbours. Every residual branch starts at zero (Goyal et al. 2017), so that a deeper network which takes the
    weights of a shallower one starts out as good.

    Example: ``build_sliding(40, 63)(np.zeros((1, 40, 160, 3)))`` has shape (1, 40, 63).
    """
    import keras
    from keras import layers

    size = size or SlidingSize()
    pixels = keras.Input((strip_px, None, 3), name="strip")
    x = layers.Rescaling(2.0, -1.0, name="centre")(pixels)
    x = _conv(x, size.stem, (5, 5), "stem", strides=2)
    x = _block(x, size.block1, "block1", strides=2, further=size.further[0])
    x = _block(x, size.block2, "block2", strides=(2, 1) if size.early else 1, further=size.further[1])
    x = _gate(x, "block2_gate") if size.gates else x
    x = _block(x, size.block3, "block3", strides=1 if size.early else (2, 1), further=size.further[2])
    x = _gate(x, "block3_gate") if size.gates else x
    x = _conv(x, size.context, (strip_px // 8, 1), "columns", padding="valid")
    for number, width in enumerate(size.kernels, 1):
        x = _conv(x, size.context, (1, width), f"context{number}", residual=True)
    x = _attention(x, "attention") if size.attention else x
    x = layers.Dropout(0.1, name="dropout")(x)
    x = layers.Conv2D(classes, 1, name="logits")(x)
    logits = layers.Reshape((-1, classes), name="steps")(x)
    return keras.Model(pixels, logits, name="sliding")


def _block(x: Any, filters: int, name: str, *, strides: int | tuple[int, int], further: int) -> Any:
    """A 3x3 convolution with the block's strides, then residual ones."""
    x = _conv(x, filters, (3, 3), f"{name}_conv1", strides=strides)
    for number in range(2, 3 + further):
        x = _conv(x, filters, (3, 3), f"{name}_conv{number}", residual=True)
    return x


def _conv(
    x: Any,
    filters: int,
    kernel: tuple[int, int],
    name: str,
    *,
    residual: bool = False,
    strides: int | tuple[int, int] = 1,
    padding: str = "same",
) -> Any:
    from keras import layers

    y = layers.Conv2D(filters, kernel, strides, padding, use_bias=False, name=name)(x)
    y = layers.BatchNormalization(gamma_initializer="zeros" if residual else "ones", name=f"{name}_norm")(y)
    if residual:
        y = layers.Add(name=f"{name}_sum")([x, y])
    return layers.Activation("relu", name=f"{name}_relu")(y)


def _gate(x: Any, name: str) -> Any:
    """Channels weighed 0 to 2, at first 1, by their means over the strip (Hu et al. 2018, "Squeeze-and-Excitation")."""
    from keras import layers

    means = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_means")(x)
    hidden = layers.Conv2D(x.shape[-1] // 4, 1, activation="relu", name=f"{name}_hidden")(means)
    weights = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", kernel_initializer="zeros", name=name)(hidden)
    weights = layers.Rescaling(2.0, name=f"{name}_scale")(weights)
    return layers.Multiply(name=f"{name}_weighed")([x, weights])


def _attention(x: Any, name: str) -> Any:
    """Self-attention over the columns of (N, 1, T, C) (Vaswani et al. 2017), as a residual branch."""
    from keras import layers

    channels = x.shape[-1]
    steps = layers.Reshape((-1, channels), name=f"{name}_steps")(x)
    steps = layers.LayerNormalization(name=f"{name}_in")(steps)
    seen = layers.MultiHeadAttention(HEADS, HEAD_CHANNELS, name=name)(steps, steps)
    seen = layers.BatchNormalization(gamma_initializer="zeros", name=f"{name}_norm")(seen)
    seen = layers.Reshape((1, -1, channels), name=f"{name}_columns")(seen)
    return layers.Add(name=f"{name}_sum")([x, seen])
