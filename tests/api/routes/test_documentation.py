"""``/docs``: shown by a browser without a network, under a strict policy; its files are those of the package."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from api.routes.documentation import FILES as FOLDER
from api.routes.documentation import POLICY
from api.swagger.fetch import FILES, VERSION
from tests.api.conftest import Light
from tests.api.services import Served, client

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
PAGES = ("/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css")
WITHIN_S = 120


def shown(served: Served, path: str, tmp_path: Path) -> tuple[str, list[str]]:
    """The page as Chromium has drawn it, and what its console says. Names of other hosts are not found."""
    assert CHROMIUM
    host, port = served.address
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    command += [f"--user-data-dir={tmp_path}", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
    command += ["--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom", f"http://{host}:{port}{path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.redis
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_shows_every_operation_without_a_network(light: Light, tmp_path: Path) -> None:
    served = light()
    page, console = shown(served, "/docs", tmp_path)
    assert console == []
    document = served.mine.get("/openapi.json").json()
    there = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    found = re.findall(r'opblock-summary-method[^>]*>(\w+)<.*?data-path="([^"]+)"', page, flags=re.DOTALL)
    assert set(found) == there
    assert "Authorize" in page


@pytest.mark.redis
def test_the_page_and_all_that_it_loads_come_from_here_under_a_strict_policy(light: Light) -> None:
    served = light()
    with client(str(served.mine.base_url), None) as nobody:
        answers = {path: nobody.get(path) for path in PAGES}
    assert {answer.status_code for answer in answers.values()} == {200}
    page = answers["/docs"].text
    assert sorted(re.findall(r'(?:src|href)="([^"]+)"', page)) == ["data:,", *(path[1:] for path in PAGES[1:])]
    assert not re.search(r"<script>|<style|style=|\son\w+=|//", page)
    assert answers["/docs"].headers["Content-Security-Policy"] == POLICY
    assert not re.search(r"unsafe|http|\*", POLICY)
    for answer in answers.values():
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for path in PAGES[2:]:
        assert answers[path].content == (FOLDER / path.removeprefix("/docs/")).read_bytes()


@pytest.mark.redis
def test_there_is_no_other_page_of_documentation(light: Light) -> None:
    served = light()
    assert {served.mine.get(path).status_code for path in ("/redoc", "/docs/", "/docs/README.md")} == {404}
    assert not [path for path in served.mine.get("/openapi.json").json()["paths"] if path.startswith("/docs")]


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_that_of_the_package(name: str) -> None:
    data = (FOLDER / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == FILES[name]
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"`{FILES[name]}`" in readme
    assert VERSION in readme
