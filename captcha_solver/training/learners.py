"""The learner for the backend in use.

Tested in ``tests/training/test_loop.py``.
"""

from typing import TYPE_CHECKING, Any

from captcha_solver.errors import OptionError
from captcha_solver.models.bundle import Bundle
from captcha_solver.models.runtimes import import_keras

if TYPE_CHECKING:
    from captcha_solver.training.task import TrainSettings
from captcha_solver.training.learner import Learner


def new_learner(model: Any, loss: Any, settings: "TrainSettings", start_from: Bundle | None) -> Learner:
    """The learner for the backend in use; ``OptionError`` where it does not know a step of the recipe."""
    if import_keras().backend.backend() != "torch" and settings.recipe.in_torch:
        raise OptionError(f"the recipe's {', '.join(settings.recipe.in_torch)} needs PyTorch: KERAS_BACKEND=torch")
    if import_keras().backend.backend() == "torch":
        from captcha_solver.training.torch_learner import TorchLearner

        return TorchLearner(model, loss, settings, start_from)
    return Learner(model, loss, settings, start_from)
