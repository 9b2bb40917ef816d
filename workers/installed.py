"""The one runner of a process: RQ finds a task by its name and gives it nothing but ids, so the runner waits here."""

from typing import Generic, TypeVar

RunnerT = TypeVar("RunnerT")


class Installed(Generic[RunnerT]):
    """Holds the runner that this process's tasks go to. ``missing``: what to say where there is none."""

    def __init__(self, missing: str) -> None:
        self._missing = missing
        self._runner: RunnerT | None = None

    def install(self, runner: RunnerT | None) -> None:
        """Make ``runner`` the one that does this process's work; with None there is none."""
        self._runner = runner

    @property
    def runner(self) -> RunnerT:
        """The runner; ``RuntimeError`` where none was installed."""
        if self._runner is None:
            raise RuntimeError(self._missing)
        return self._runner
