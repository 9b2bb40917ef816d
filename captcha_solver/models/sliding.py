"""The sliding network: a strip of any width in, one row of class logits for every four columns out."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SlidingSize:
    """How wide each stage is; ``early`` halves the rows before block 2 instead of before block 3."""

    stem: int = 24
    block1: int = 48
    block2: int = 80
    block3: int = 112
    context: int = 160
    early: bool = False


NETWORKS = {
    "base": SlidingSize(),
    "small": SlidingSize(stem=16, block1=24, block2=56, block3=72, context=128, early=True),  # a third of the work
}


def build_sliding(strip_px: int, classes: int, size: SlidingSize | None = None) -> Any:
    """A Keras model for strips of height ``strip_px`` (a multiple of 8).

    Input shape: (N, strip_px, W, 3), float 0-1. Output shape: (N, W // 4, classes), logits; class 0 is the CTC
    blank (Graves et al. 2006, "Connectionist Temporal Classification"). Fully convolutional; each output column
    sees 73 input columns, about three glyphs, so that a letter is read with its neighbours.

    Example: ``build_sliding(40, 63)(np.zeros((1, 40, 160, 3)))`` has shape (1, 40, 63).
    """
    import keras
    from keras import layers

    size = size or SlidingSize()
    pixels = keras.Input((strip_px, None, 3), name="strip")
    x = layers.Rescaling(2.0, -1.0, name="centre")(pixels)
    x = _conv(x, size.stem, (5, 5), "stem", strides=2)
    x = _conv(x, size.block1, (3, 3), "block1_conv1", strides=2)
    x = _conv(x, size.block1, (3, 3), "block1_conv2", residual=True)
    x = _conv(x, size.block2, (3, 3), "block2_conv1", strides=(2, 1) if size.early else 1)
    x = _conv(x, size.block2, (3, 3), "block2_conv2", residual=True)
    x = _conv(x, size.block3, (3, 3), "block3_conv1", strides=1 if size.early else (2, 1))
    x = _conv(x, size.block3, (3, 3), "block3_conv2", residual=True)
    x = _conv(x, size.context, (strip_px // 8, 1), "columns", padding="valid")
    x = _conv(x, size.context, (1, 3), "context1", residual=True)
    x = _conv(x, size.context, (1, 5), "context2", residual=True)
    x = layers.Dropout(0.1, name="dropout")(x)
    x = layers.Conv2D(classes, 1, name="logits")(x)
    logits = layers.Reshape((-1, classes), name="steps")(x)
    return keras.Model(pixels, logits, name="sliding")


def _conv(x: Any, filters: int, kernel: tuple[int, int], name: str, *, residual: bool = False, **options: Any) -> Any:
    from keras import layers

    options = {"padding": "same", **options}
    y = layers.Conv2D(filters, kernel, use_bias=False, name=name, **options)(x)
    y = layers.BatchNormalization(name=f"{name}_norm")(y)
    if residual:
        y = layers.Add(name=f"{name}_sum")([x, y])
    return layers.Activation("relu", name=f"{name}_relu")(y)
