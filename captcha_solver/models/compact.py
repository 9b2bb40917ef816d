"""Make a network's files about half as large, and lose nothing: kernels that float16 holds exactly, stored as float16.

``model.keras`` is a zip of float32 arrays; kernels rounded to float16 beforehand leave half of each number zero, and
the zip is packed. The exporter folds normalisations into the kernels of ``model.onnx``, so that there each is a kernel
of float16 times a factor for each output channel: both are stored, and multiplied out once when the network is loaded.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_NUMBERS = 1024  # a smaller array is not worth two more nodes
SAME = 1e-6  # of a channel's largest weight: what float32 itself makes of the product


def round_kernels(model: Any) -> None:
    """Round every kernel (an array of two or more dimensions) of a Keras ``model`` to float16, in place.

    Biases, normalisations and their statistics stay as they are.
    """
    rounded = [w.astype(np.float16).astype(np.float32) if w.ndim > 1 else w for w in model.get_weights()]
    model.set_weights(rounded)


def pack_keras(path: Path) -> None:
    """Deflate the zip ``path``, every member under its own date, so that the same model gives the same bytes."""
    with zipfile.ZipFile(path) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for info, data in members:
            packed.writestr(info, data, zipfile.ZIP_DEFLATED, 9)


def pack_onnx(path: Path, weights: Sequence[NDArray[np.float32]]) -> None:
    """Store those large arrays of ``path`` as float16 that are one of the Keras ``weights`` times a factor a channel.

    An array that is none of them, to within ``SAME``, stays as it is.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kernels = [np.moveaxis(w, (-1, -2), (0, 1)) for w in weights if w.ndim == 4]  # as ONNX orders them: out, in, h, w
    model = onnx.load(path)
    nodes, arrays = [], []
    for each in model.graph.initializer:
        array = numpy_helper.to_array(each)
        found = None if array.size < LEAST_NUMBERS else _factored(array, kernels)
        if found is None:
            arrays.append(each)
            continue
        names = {part: f"{each.name}/{part}" for part in ("half", "factor", "float")}
        parts = zip(found, ("half", "factor"), strict=True)
        arrays += [numpy_helper.from_array(part, names[name]) for part, name in parts]
        nodes += [
            helper.make_node("Cast", [names["half"]], [names["float"]], to=TensorProto.FLOAT),
            helper.make_node("Mul", [names["float"], names["factor"]], [each.name]),
        ]
    del model.graph.initializer[:]
    model.graph.initializer.extend(arrays)
    body = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *body])
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _factored(
    array: NDArray[np.float32], kernels: Sequence[NDArray[np.float32]]
) -> tuple[NDArray[np.float16], NDArray[np.float32]] | None:
    """The float16 kernel and the factors (out, 1, 1, 1) that ``array`` is the product of; ``None`` if it is none."""
    for kernel in kernels:
        half = kernel.astype(np.float16)
        if kernel.shape != array.shape or not np.array_equal(half.astype(np.float32), kernel):
            continue
        places = np.abs(kernel).reshape(len(kernel), -1).argmax(axis=1)[:, None]
        largest = np.take_along_axis(kernel.reshape(len(kernel), -1), places, axis=1)
        folded = np.take_along_axis(array.reshape(len(array), -1), places, axis=1)
        factor = np.divide(folded, largest, out=np.zeros_like(folded), where=largest != 0).reshape(-1, 1, 1, 1)
        if (np.abs(kernel * factor - array) <= SAME * np.abs(folded).reshape(-1, 1, 1, 1)).all():
            return half, factor
    return None
