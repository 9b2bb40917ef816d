"""``/docs``: the page that shows the OpenAPI document, with its script and style sheet; all of it from here."""

from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

FILES = Path(__file__).resolve().parents[1] / "swagger"
LOADED = {"start.js": "text/javascript", "swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
# As strict as that of the other answers, but for what the page loads from here; its style sheet holds pictures.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
KEPT = "public, max-age=3600"

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs() -> Response:
    """The page itself: no script and no style stands in it."""
    page = (FILES / "page.html").read_bytes()
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": POLICY})


def _file(name: str) -> Callable[[], FileResponse]:
    """What answers with one of the files that the page loads."""
    return lambda: FileResponse(FILES / name, media_type=LOADED[name], headers={"Cache-Control": KEPT})


for _name in LOADED:
    router.get(f"/docs/{_name}")(_file(_name))
