"""The application: importing it loads nothing that reads, draws, trains or audits."""

import subprocess
import sys

import pytest

from tests.api.conftest import Light

HEAVY = (
    "cv2",
    "PIL",
    "keras",
    "onnxruntime",
    "tensorflow",
    "captcha_solver.solver",
    "captcha_solver.recognizers",
    "captcha_solver.image",
    "captcha_solver.designs",
    "captcha_solver.training",
    "captcha_solver.audit",
)


def loaded() -> set[str]:
    """The modules that importing ``api.app`` loads in a new process."""
    code = "import sys, api.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_api_loads_nothing_that_infers() -> None:
    modules = loaded()
    assert "api.app" in modules
    assert not modules & set(HEAVY)
    library = {name for name in modules if name.startswith("captcha_solver")}
    assert not {name for name in library if name.startswith(tuple(f"{heavy}." for heavy in HEAVY))}
    assert len(library) < 24


@pytest.mark.redis
def test_the_app_says_its_version(light: Light) -> None:
    served = light()
    assert served.mine.get("/openapi.json").json()["info"]["version"] == served.app.version
