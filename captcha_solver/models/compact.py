"""Make a network's files half as large: kernels kept to 16 bits, with what they answer unchanged to about 1e-5.

``model.keras`` is a zip of float32 arrays; kernels rounded to float16 beforehand leave half of each number zero, and
the zip is packed. ``model.onnx`` holds kernels into which normalisations are folded: 16-bit integers and a scale for
each output channel, multiplied out once when the network is loaded.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

LEAST_NUMBERS = 1024  # a smaller array is not worth two more nodes
LEVELS = 32767


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


def pack_onnx(path: Path) -> None:
    """Store the large float32 arrays of ``path`` as int16 times a float32 scale for each index of the first axis."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(path)
    nodes, arrays = [], []
    for each in model.graph.initializer:
        array = numpy_helper.to_array(each)
        if each.data_type != TensorProto.FLOAT or array.size < LEAST_NUMBERS or array.ndim < 2:
            arrays.append(each)
            continue
        scale = np.abs(array).max(axis=tuple(range(1, array.ndim)), keepdims=True) / np.float32(LEVELS)
        scale = np.where(scale == 0, np.float32(1), scale).astype(np.float32)
        levels = np.rint(array / scale).astype(np.int16)
        names = {part: f"{each.name}/{part}" for part in ("levels", "scale", "float")}
        arrays += [numpy_helper.from_array(levels, names["levels"]), numpy_helper.from_array(scale, names["scale"])]
        nodes += [
            helper.make_node("Cast", [names["levels"]], [names["float"]], to=TensorProto.FLOAT),
            helper.make_node("Mul", [names["float"], names["scale"]], [each.name]),
        ]
    del model.graph.initializer[:]
    model.graph.initializer.extend(arrays)
    body = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *body])
    onnx.checker.check_model(model)
    onnx.save(model, path)
