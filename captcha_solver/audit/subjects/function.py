"""A subject drawn by the owner's own code, ``package.module:function``: what it returns is checked image by image.

Tested in ``tests/audit/subjects/test_subject.py``.
"""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from captcha_solver.audit.subjects.record import SubjectKind, SubjectRecord
from captcha_solver.designs.design import Design
from captcha_solver.errors import DatasetError, ImageError, SetupError
from captcha_solver.image import read_image
from captcha_solver.imaging.picture_bytes import picture_bytes
from captcha_solver.types import Sample

GIVEN = ("rng", "seed")  # what a function is given, where it takes it
SEEDS_APART = 1_000_003  # between the seeds of two parts of an audit's images


@dataclass(frozen=True, slots=True)
class CallableSubject:
    """``package.module:function``: called for each image, it returns the image and its text.

    The image may be whatever ``picture_bytes`` takes: encoded bytes, an open file, a path, a Pillow image of any mode
    or an array of 1 to 4 channels. A parameter named ``rng`` is given a ``numpy.random.Generator``, one named ``seed``
    a whole number; without either the images cannot be repeated.
    """

    spec: str
    kind: SubjectKind = "callable"
    design: Design | None = None
    available: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.spec

    def samples(self, count: int, seed: int) -> list[Sample]:
        function = _function(self.spec)
        wanted = _parameters(function, self.spec)
        drawn = []
        for index in range(count):
            rng = np.random.default_rng([seed, index])
            given = {"rng": rng, "seed": seed * SEEDS_APART + index}
            image, text = _answer(function, self.spec, {name: given[name] for name in wanted})
            drawn.append(
                Sample(f"{seed}-{index:05d}", _encoded(image, self.spec), _text(text, self.spec), self.name, seed)
            )
        return drawn

    def provenance(self) -> SubjectRecord:
        function = _function(self.spec)
        try:
            source = inspect.getsource(function)
        except (OSError, TypeError):
            source = ""
        return SubjectRecord(self.kind, self.spec, sha256=hashlib.sha256(source.encode()).hexdigest())


def _function(spec: str) -> Callable[..., Any]:
    """The function at ``package.module:function``; a module may lie in the folder in which the command is run."""
    module_name, _, name = spec.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # importing runs their code, which may raise anything
        raise SetupError(f"expected a function at {spec}, received {type(error).__name__}: {error}") from error
    if not callable(found):
        raise SetupError(f"expected a function at {spec}, received {type(found).__name__}")
    function: Callable[..., Any] = found
    return function


def _parameters(function: Callable[..., Any], spec: str) -> set[str]:
    """Which of ``rng`` and ``seed`` it takes; ``SetupError`` where it needs something else."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # written in C: called as it is
        return set()
    variadic = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in variadic]
    if foreign := [name for name in needed if name not in GIVEN]:
        raise SetupError(f"expected {spec} to need no arguments but rng and seed, received {', '.join(foreign)}")
    return {p.name for p in parameters if p.name in GIVEN}


def _answer(function: Callable[..., Any], spec: str, given: Mapping[str, Any]) -> tuple[Any, Any]:
    """What one call returns: an image and its text."""
    try:
        answer = function(**given)
    except (Exception, SystemExit) as error:  # whatever their code raises, it is said in one line
        raise SetupError(f"{spec} raised {type(error).__name__}: {error}") from error
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise DatasetError(f"expected {spec} to return an image and its text, received {_shown(answer)}")
    return answer[0], answer[1]


def _encoded(image: Any, spec: str) -> bytes:
    try:
        data = picture_bytes(image)
        read_image(data)
    except ImageError as error:
        raise DatasetError(f"{spec}: expected an image first; {error}") from error
    return data


def _shown(value: Any) -> str:
    """What a value is, in a few words."""
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} {value.dtype}"
    return f"{type(value).__name__} {repr(value)[:60]}"


def _text(text: Any, spec: str) -> str:
    if not isinstance(text, str) or not text:
        raise DatasetError(f"expected {spec} to return the text of its image second, received {_shown(text)}")
    return text
