"""captcha-solver itself, by its public names.

Tested in ``tests/benchmarks/peers/test_measure.py``.
"""

from collections.abc import Mapping, Sequence


class Reader:
    """One model on one runtime; reads in batches as its users do."""

    def __init__(self, options: Mapping[str, str]) -> None:
        from captcha_solver import load_solver

        self._solver = load_solver(options["model"], runtime=options["runtime"], views=options["views"])

    def read(self, images: Sequence[bytes]) -> list[str]:
        return [solution.reading.text for solution in self._solver.solve_batch(images)]

    def read_sure(self, images: Sequence[bytes]) -> list[tuple[str, float | None]]:
        return [(solution.text, solution.confidence) for solution in self._solver.solve_batch(images)]
