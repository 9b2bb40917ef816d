"""One network being trained, with its averaged and its best weights.

Tested in ``tests/training/test_loop.py``.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from captcha_solver.errors import BundleError, OptionError
from captcha_solver.models.bundle import Bundle
from captcha_solver.models.runtimes import import_keras, load_keras
from captcha_solver.training.checkpoint import Arrays, Progress, State

if TYPE_CHECKING:
    from captcha_solver.training.task import Pair, TrainSettings

AVERAGE_EVERY_STEPS = 10
AVERAGE_DECAY = 0.98  # of every tenth step: a horizon of about 500 steps
XLA = {"jax": "auto", "tensorflow": False, "torch": False}  # XLA compiles anew for every width


class Learner:
    """A compiled Keras model whose weights are averaged over steps (Polyak); the averages are validated."""

    def __init__(self, model: Any, loss: Any, settings: "TrainSettings", start_from: Bundle | None) -> None:
        self.model = model
        if start_from is not None:
            take_weights(model, load_keras(start_from), start_from)
        self._prepare(loss, settings)
        self._start: Arrays = [np.asarray(variable).copy() for variable in model.variables]
        self._average: Arrays = weights_of(model)
        self._best: Arrays = []
        self._trained: Arrays = []
        self._steps = 0

    def try_out(self, batches: Sequence["Pair"]) -> None:
        """Train on ``batches`` and forget it. TensorFlow traces the network anew for the first shapes that it meets.

        Met before, the same ones every time, they leave every training the same trace, to the last bit.
        """
        for images, labels in batches:
            self._train(images, labels, 0.0)
        self.start_over()

    def start_over(self) -> None:
        """Be as at first: another training of the same network need neither build nor trace it again."""
        for variable, array in zip(self.model.variables, self._start, strict=True):
            variable.assign(array)
        self._forget_steps()
        self._average, self._best, self._trained, self._steps = weights_of(self.model), [], [], 0

    def step(self, images: NDArray[np.float32], labels: NDArray[np.int32], rate: float) -> float:
        """One optimizer step on (N, H, W, C) float32 0-1 and int32 labels; the batch's loss."""
        loss = self._train(images, labels, rate)
        if not math.isfinite(loss):
            raise OptionError(
                f"training diverged after {self._steps} steps: expected a finite loss, received {loss}; "
                "lower the learning rate, and check that every label fits its image"
            )
        self._steps += 1
        if self._steps % AVERAGE_EVERY_STEPS == 0:
            self._update_average()
        return loss

    def _prepare(self, loss: Any, settings: "TrainSettings") -> None:
        """Make the optimizer."""
        keras = import_keras()
        optimizer = layerwise_adamw(
            keras,
            layer_rates(self.model, settings.layer_decay),
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            global_clipnorm=settings.clip_norm,
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        optimizer.build(self.model.trainable_variables)
        self.model.compile(optimizer=optimizer, loss=loss, jit_compile=XLA.get(keras.backend.backend(), False))
        self._optimizer = optimizer

    def _train(self, images: NDArray[np.float32], labels: NDArray[np.int32], rate: float) -> float:
        self._optimizer.learning_rate = rate
        return float(np.asarray(self.model.train_on_batch(images, labels)).reshape(-1)[0])

    def _logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        return predict(self.model, images)

    def _forget_steps(self) -> None:
        """Set the optimizer back."""
        for variable in self._optimizer.variables:
            variable.assign(np.zeros_like(np.asarray(variable)))

    def _optimizer_state(self) -> Arrays:
        return [np.asarray(v) for v in self._optimizer.variables]

    def _restore_optimizer(self, arrays: Arrays) -> bool:
        """Whether ``arrays`` fitted."""
        variables = self._optimizer.variables
        if [tuple(a.shape) for a in arrays] != [tuple(v.shape) for v in variables]:
            return False
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        return True

    def _update_average(self) -> None:
        n = self._steps // AVERAGE_EVERY_STEPS
        decay = min(AVERAGE_DECAY, n / (n + 9))  # a short memory at first: forget the random start
        for mean, now in zip(self._average, self.model.get_weights(), strict=True):
            mean += (1 - decay) * (now - mean)

    def averaged(self) -> Any:
        """The model with the averaged weights in it, until ``go_on`` puts the trained ones back."""
        self._trained = weights_of(self.model)
        self.model.set_weights(self._average)
        return self.model

    def go_on(self) -> None:
        """Undo ``averaged``."""
        self.model.set_weights(self._trained)

    def accuracy(
        self, heldout: Sequence["Pair"], accuracy: Callable[[NDArray[np.float32], NDArray[np.int32]], float]
    ) -> float:
        """Share right of the held-out images with the averaged weights."""
        self.averaged()
        right = sum(len(x) * accuracy(self._logits(x), y) for x, y in heldout)
        self.go_on()
        return right / max(1, sum(len(x) for x, _ in heldout))

    def keep_best(self) -> None:
        self._best = [a.copy() for a in self._average]

    def use_best(self) -> None:
        """Put the best averaged weights into the model: training is over."""
        if self._best:
            self.model.set_weights(self._best)

    def state(self, progress: Progress) -> State:
        return State(progress, weights_of(self.model), self._optimizer_state(), self._average, self._best)

    def restore(self, state: State) -> None:
        """Resume from a checkpoint."""
        if not self._restore_optimizer(state.optimizer):
            raise BundleError("the checkpoint belongs to another network or backend; delete it to start anew")
        self.model.set_weights(state.weights)
        self._average, self._best = list(state.average), list(state.best)
        self._steps = state.progress.step


def layer_rates(model: Any, decay: float) -> list[float]:
    """A factor on the learning rate of each trainable variable, in order: 1 at the top, ``decay`` a layer below.

    A normalisation counts with the layer whose name it carries (``block1_conv1`` and ``block1_conv1_norm``).
    """
    names = [layer.name.removesuffix("_norm") for layer in model.layers if layer.trainable_variables]
    depth = {name: place for place, name in enumerate(reversed(list(dict.fromkeys(names))))}
    rates = {
        variable.path: decay ** depth[layer.name.removesuffix("_norm")]
        for layer in model.layers
        for variable in layer.trainable_variables
    }
    return [rates[variable.path] for variable in model.trainable_variables]


def layerwise_adamw(
    keras: Any,
    rates: Sequence[float],
    *,
    learning_rate: float,
    weight_decay: float = 0.004,
    global_clipnorm: float | None = None,
) -> Any:
    """AdamW (Loshchilov and Hutter 2019) with a factor on the learning rate of each trainable variable, in order."""
    options = {"learning_rate": learning_rate, "weight_decay": weight_decay, "global_clipnorm": global_clipnorm}
    if set(rates) <= {1.0}:
        return keras.optimizers.AdamW(**options)

    class LayerwiseAdamW(keras.optimizers.AdamW):  # type: ignore[misc]  # Keras is loaded at run time
        def update_step(self, gradient: Any, variable: Any, rate: Any) -> None:
            super().update_step(gradient, variable, rate * rates[self._get_variable_index(variable)])

    return LayerwiseAdamW(**options)


def weights_of(model: Any) -> Arrays:
    """Copies of the model's weights: what PyTorch gives out shares memory with them."""
    return [np.array(w) for w in model.get_weights()]


def predict(model: Any, images: NDArray[np.float32], batch: int = 64) -> NDArray[np.float32]:
    """Logits of (N, H, W, C), in batches that bound the memory."""
    parts = [model.predict_on_batch(images[i : i + batch]) for i in range(0, len(images), batch)]
    return np.concatenate([np.asarray(p, np.float32) for p in parts])


def take_weights(model: Any, source: Any, bundle: Bundle) -> None:
    """Copy into ``model`` the weights of ``source``'s layers of the same name and shapes."""
    layers = {layer.name: layer for layer in source.layers}
    taken = 0
    for layer in model.layers:
        if layer.weights and layer.name in layers:
            arrays = layers[layer.name].get_weights()
            if [a.shape for a in arrays] == [tuple(w.shape) for w in layer.weights]:
                layer.set_weights(arrays)
                taken += 1
    if not taken:
        raise BundleError(f"expected layers in bundle {bundle.path} that fit this route's network, received none")
