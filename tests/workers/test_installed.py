"""The runner of a process: what was installed last, or an error that says what to start."""

import pytest

from workers.installed import Installed


def test_tasks_go_to_what_was_installed_last() -> None:
    installed: Installed[str] = Installed("start a worker")
    with pytest.raises(RuntimeError, match="start a worker"):
        _ = installed.runner
    installed.install("first")
    installed.install("second")
    assert installed.runner == "second"
    installed.install(None)
    with pytest.raises(RuntimeError, match="start a worker"):
        _ = installed.runner
