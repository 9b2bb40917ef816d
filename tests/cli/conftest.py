"""A command line that is run in this process."""

from collections.abc import Callable

import pytest

from captcha_solver.cli.main import main


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line: exit code, stdout, stderr."""
    monkeypatch.delenv("CAPTCHA_API_KEY", raising=False)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call
