"""``/docs``: the page that shows the OpenAPI document, with its script and style sheet; all of it from here."""

import gzip
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

FILES = Path(__file__).resolve().parents[1] / "swagger"
SCRIPT, STYLE = "text/javascript", "text/css"
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


@router.get("/docs/start.js")
def start() -> Response:
    """What begins the page."""
    return Response((FILES / "start.js").read_bytes(), media_type=SCRIPT)


@router.get("/docs/swagger-ui-bundle.js")
def script(request: Request) -> Response:
    """Swagger UI."""
    return _packed(request, "swagger-ui-bundle.js", SCRIPT)


@router.get("/docs/swagger-ui.css")
def style(request: Request) -> Response:
    """Swagger UI's style sheet."""
    return _packed(request, "swagger-ui.css", STYLE)


def _packed(request: Request, name: str, media: str) -> Response:
    """A file that is kept packed: as it is, or unpacked for who takes no gzip."""
    data = _read(f"{name}.gz")
    headers = {"Cache-Control": KEPT, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", "").lower():
        return Response(data, media_type=media, headers={**headers, "Content-Encoding": "gzip"})
    return Response(gzip.decompress(data), media_type=media, headers=headers)


@cache
def _read(name: str) -> bytes:
    return (FILES / name).read_bytes()
