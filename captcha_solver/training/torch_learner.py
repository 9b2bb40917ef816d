"""A learner for the torch backend: the Keras model's own weights, trained through PyTorch's fused operations.

Keras runs a batch normalisation as a dozen operations and AdamW variable by variable; PyTorch has one for each, and a
CTC loss in C++. With bfloat16 besides, where it is multiplied in hardware (AMX, AVX-512, tensor cores), a step takes
about half of the time. Weights, checkpoints and bundles are the same as with any other backend.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from captcha_solver.training.learner import Learner, layer_rates
from captcha_solver.training.torch_losses import Guide, combined, ctc

if TYPE_CHECKING:
    from captcha_solver.training.task import TrainSettings

FEATURES = "dropout"  # the layer of a sliding network whose output its logits are made of
BATCH = 64  # images read at once, to bound the memory
UNDECAYED = ("bias", "gamma", "beta")


class TorchLearner(Learner):
    """As ``Learner``, for ``KERAS_BACKEND=torch``."""

    def _prepare(self, loss: Any, settings: "TrainSettings") -> None:
        import keras
        import torch

        variables = self.model.trainable_variables
        rates = layer_rates(self.model, settings.layer_decay)
        groups = [
            {"params": [v.value], "weight_decay": 0.0 if v.name in UNDECAYED else settings.weight_decay, "factor": rate}
            for v, rate in zip(variables, rates, strict=True)
        ]
        self._parameters = [v.value for v in variables]
        self._device = self._parameters[0].device
        self._adamw = torch.optim.AdamW(groups, lr=settings.learning_rate, eps=1e-7, fused=True)
        self._clip_norm = settings.clip_norm
        self._loss = ctc if isinstance(loss, keras.losses.CTC) else loss
        self._recipe = settings.recipe
        self._guide: Guide | None = None
        if self._recipe.guided:
            features = self.model.get_layer(FEATURES).output
            self._guide = Guide(features.shape[-1], self.model.output_shape[-1], self._device, settings.seed)
            guides = self._guide.parameters()
            self._adamw.add_param_group({"params": guides, "weight_decay": settings.weight_decay, "factor": 1.0})
            self._parameters += guides
        self._bfloat16 = multiplies_bfloat16(self._device.type)

    def _train(self, images: NDArray[np.float32], labels: NDArray[np.int32], rate: float) -> float:
        import torch

        for group in self._adamw.param_groups:
            group["lr"] = rate * group["factor"]
        x, y = torch.from_numpy(images).to(self._device), torch.from_numpy(labels).to(self._device)
        loss = self._loss_of(x, y)
        self._adamw.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)
        self._adamw.step()
        return float(loss.detach())

    def _loss_of(self, x: Any, y: Any) -> Any:
        if not self._recipe.in_torch:
            return self._loss(y, self._forward(x, training=True))
        kept: dict[str, Any] = {FEATURES: None}
        loss = combined(self._recipe, y, self._forward(x, training=True, kept=kept))
        if self._guide is None:
            return loss
        features = kept[FEATURES].flatten(1, -2)  # (N, 1, T, C): the rows are folded into the columns
        return loss + self._recipe.guided * y.shape[1] * self._guide.loss(y, features)

    def _forward(self, x: Any, *, training: bool, kept: dict[str, Any] | None = None) -> Any:
        import torch

        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            return forward(self.model, x, training=training, kept=kept).float()

    def _logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        import torch

        with torch.no_grad():
            parts = [
                self._forward(torch.from_numpy(images[i : i + BATCH]).to(self._device), training=False)
                for i in range(0, len(images), BATCH)
            ]
        return np.concatenate([part.cpu().numpy() for part in parts])

    def _forget_steps(self) -> None:
        self._adamw.state.clear()

    def _optimizer_state(self) -> list[NDArray[Any]]:
        states = [self._adamw.state[p] for p in self._parameters]
        steps = [s[k].detach().cpu().numpy() for s in states if s for k in ("step", "exp_avg", "exp_avg_sq")]
        return steps + [p.detach().cpu().numpy() for p in self._guiding()]

    def _restore_optimizer(self, arrays: Sequence[NDArray[Any]]) -> bool:
        import torch

        guiding = self._guiding()
        if len(arrays) != 3 * len(self._parameters) + len(guiding):
            return not arrays
        with torch.no_grad():
            for p, array in zip(guiding, arrays[3 * len(self._parameters) :], strict=True):
                p.copy_(torch.from_numpy(array.copy()))
        for i, p in enumerate(self._parameters):
            step, mean, square = arrays[3 * i : 3 * i + 3]
            if tuple(mean.shape) != tuple(p.shape):
                return False
            self._adamw.state[p] = {
                "step": torch.tensor(float(step)),
                "exp_avg": torch.from_numpy(mean.copy()).to(self._device),
                "exp_avg_sq": torch.from_numpy(square.copy()).to(self._device),
            }
        return True

    def _guiding(self) -> list[Any]:
        return [] if self._guide is None else self._guide.parameters()


def multiplies_bfloat16(device: str) -> bool:
    """Whether bfloat16 products are made in hardware: by AMX or AVX-512 on a CPU, by tensor cores on a GPU."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # PyTorch has no public names for them
    return device == "cpu" and any(getattr(torch.cpu, name, bool)() for name in names)


def forward(model: Any, x: Any, *, training: bool, kept: dict[str, Any] | None = None) -> Any:
    """The functional ``model`` on a tensor; layers without an entry in ``LAYERS`` run as Keras runs them, in float32.

    Every layer is used once. Tensors keep Keras' order, channels last; the permutations are views. The outputs of the
    layers that ``kept`` names are put there.
    """
    values = {id(model.inputs[0]): x}
    for layer in model.layers[1:]:
        given = layer.input
        received = [values[id(each)] for each in (given if isinstance(given, list) else [given])]
        run = LAYERS.get(type(layer).__name__)
        made = layer(*received) if run is None else run(layer, received, training)
        values[id(layer.output)] = made
        if kept is not None and layer.name in kept:
            kept[layer.name] = made
    return values[id(model.outputs[0])]


def _conv2d(layer: Any, received: list[Any], _: bool) -> Any:
    import torch.nn.functional as nn

    x = received[0].permute(0, 3, 1, 2)
    padding: Any = 0
    if layer.padding == "same":
        reach = [rate * (size - 1) + 1 for size, rate in zip(layer.kernel_size, layer.dilation_rate, strict=True)]
        sides = [_same(n, k, s) for n, k, s in zip(x.shape[2:], reach, layer.strides, strict=True)]
        if all(low == high for low, high in sides):
            padding = tuple(low for low, _ in sides)
        else:
            x = nn.pad(x, (*sides[1], *sides[0]))
    bias = layer.bias.value if layer.use_bias else None
    y = nn.conv2d(
        x, layer.kernel.value.permute(3, 2, 0, 1), bias, layer.strides, padding, layer.dilation_rate, layer.groups
    )
    return ACTIVATIONS[layer.activation.__name__](y).permute(0, 2, 3, 1)


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding before and after, so that ``size`` becomes ceil(size / stride)."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _batch_norm(layer: Any, received: list[Any], training: bool) -> Any:
    import torch.nn.functional as nn

    y = nn.batch_norm(
        received[0].movedim(-1, 1),
        layer.moving_mean.value,
        layer.moving_variance.value,
        layer.gamma.value,
        layer.beta.value,
        training,
        1 - layer.momentum,
        layer.epsilon,
    )
    return y.movedim(1, -1)


def _dropout(layer: Any, received: list[Any], training: bool) -> Any:
    import torch.nn.functional as nn

    return nn.dropout(received[0], layer.rate, training)


def _attention(layer: Any, received: list[Any], _: bool) -> Any:
    """Self-attention of (N, T, C), written out: for so few columns quicker than the fused operation."""
    x = received[0]  # given two or three times, as query, key and value
    query, key, value = (
        (x @ part.kernel.value.flatten(1) + part.bias.value.flatten())
        .unflatten(-1, part.kernel.shape[1:])
        .transpose(1, 2)
        for part in (layer.query_dense, layer.key_dense, layer.value_dense)
    )
    weights = (query @ key.transpose(2, 3) * layer.key_dim**-0.5).softmax(-1)
    seen = (weights.to(value.dtype) @ value).transpose(1, 2).flatten(2)
    return seen @ layer.output_dense.kernel.value.flatten(0, 1) + layer.output_dense.bias.value


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda x: x,
    "relu": lambda x: x.relu(),
    "sigmoid": lambda x: x.sigmoid(),
}
LAYERS: dict[str, Callable[[Any, list[Any], bool], Any]] = {
    "Conv2D": _conv2d,
    "BatchNormalization": _batch_norm,
    "MultiHeadAttention": _attention,
    "Activation": lambda layer, received, _: ACTIVATIONS[layer.activation.__name__](received[0]),
    "ReLU": lambda _, received, __: received[0].relu(),
    "Add": lambda _, received, __: received[0] + received[1],
    "Multiply": lambda _, received, __: received[0] * received[1],
    "Rescaling": lambda layer, received, _: received[0] * layer.scale + layer.offset,
    "GlobalAveragePooling2D": lambda layer, received, _: received[0].mean((1, 2), keepdim=layer.keepdims),
    "Reshape": lambda layer, received, _: received[0].reshape(len(received[0]), *layer.target_shape),
    "Dropout": _dropout,
}
