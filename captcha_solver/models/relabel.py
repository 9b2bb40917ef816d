"""Gives a network the outputs of another charset, and keeps what it knows of the characters that both have.

Tested in ``tests/models/test_relabel.py``.
"""

from typing import Any

import numpy as np

from captcha_solver.charset import Charset

OUTPUT, SHAPED = "logits", "steps"  # the layer with a row a class, and the one that may lay the rows out
NEW_BIAS = -2.0  # log-odds that a new character starts behind the mean of the known ones


def with_classes(model: Any, classes: int) -> Any:
    """A new network like ``model`` with ``classes`` outputs; its weights are random."""
    config = model.get_config()
    for layer in config["layers"]:
        told = layer["config"]
        if layer["config"]["name"] == OUTPUT:
            told["units" if "units" in told else "filters"] = classes
        elif told["name"] == SHAPED:
            told["target_shape"] = (-1, classes)
    return type(model).from_config(config)


def keep_rows(model: Any, charset: Charset, known: Any, known_charset: Charset) -> None:
    """Copy the rows of "nothing here" and of all common characters from the outputs of the network ``known``.

    A new character starts as the mean of all known ones, somewhat less likely: it is a character, of which the
    labels have yet to say what tells it from others. Where the layers below differ in size, nothing is copied.
    """
    kernel, bias = model.get_layer(OUTPUT).get_weights()
    theirs, their_bias = known.get_layer(OUTPUT).get_weights()
    if kernel.shape[:-1] != theirs.shape[:-1]:
        return
    kernel[..., 1:] = theirs[..., 1:].mean(axis=-1, keepdims=True)
    bias[1:] = their_bias[1:].mean() + NEW_BIAS
    ids = {char: i for i, char in enumerate(known_charset.characters, 1)}
    both = [(i, ids[char]) for i, char in enumerate(charset.characters, 1) if char in ids]
    mine, others = np.array([(0, 0), *both]).T
    kernel[..., mine], bias[mine] = theirs[..., others], their_bias[others]
    model.get_layer(OUTPUT).set_weights([kernel, bias])
