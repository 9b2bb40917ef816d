"""Imports point one way: what may import what, and no circles."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "captcha_solver"

LAYERS: list[set[str]] = [  # from the ground up; a module may import its own layer and those below it
    {"types", "errors"},
    {"attempt", "beam", "binarise", "charset", "cuts", "dataset", "image", "lattice", "locate", "preprocess"},
    {"segment", "slide", "decode", "models"},
    {"recognizers"},
    {"solver", "designs"},
    {"score", "sheet", "audit", "training", "explain"},
    {"doctor", "cli", "cli_read", "cli_make", "cli_show", "demo"},
]
EVERYWHERE = {"__init__"}  # the version, and the errors' names


def modules() -> dict[str, Path]:
    """Dotted name -> file of every module of the package."""
    files = sorted((ROOT / PACKAGE).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}


def imports_of(source: str) -> set[str]:
    """Every module named in an import statement anywhere in ``source``, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used here"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part(name: str) -> str:
    """The part of the package that a module belongs to: ``captcha_solver.models.bundle`` -> ``models``."""
    return name.split(".")[1] if "." in name else "__init__"


def layer(name: str) -> int:
    ranks = [rank for rank, members in enumerate(LAYERS) if part(name) in members]
    assert ranks, f"{name} belongs to no layer: say in tests/test_layers.py where it stands"
    return ranks[0]


def inner(names: set[str]) -> set[str]:
    """Those of ``names`` that are modules of the package."""
    return names & set(modules())


MODULES = [name for name in modules() if part(name) not in EVERYWHERE]


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    for imported in inner(imports_of(modules()[name].read_text(encoding="utf-8"))):
        if part(imported) not in EVERYWHERE:
            assert layer(imported) <= layer(name), f"{name} imports {imported}, which stands above it"


def test_no_circles_between_parts() -> None:
    graph: dict[str, set[str]] = {}
    for name in MODULES:
        imported = {part(each) for each in inner(imports_of(modules()[name].read_text(encoding="utf-8")))}
        graph.setdefault(part(name), set()).update(imported - {part(name), *EVERYWHERE})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
    else:
        circle = ""
    assert not circle, f"parts import each other in a circle: {circle}"


@pytest.mark.parametrize("name", list(modules()))
def test_the_library_knows_neither_queue_nor_http(name: str) -> None:
    outside = {each.split(".")[0] for each in imports_of(modules()[name].read_text(encoding="utf-8"))}
    assert not outside & {
        "api",
        "workers",
        "tests",
        "rq",
        "redis",
        "fastapi",
        "starlette",
        "uvicorn",
        "pickle",
    }


@pytest.mark.parametrize("name", list(modules()))
def test_heavy_libraries_are_imported_inside_functions(name: str) -> None:
    body = ast.parse(modules()[name].read_text(encoding="utf-8")).body
    heavy = {"keras", "tensorflow", "onnxruntime", "onnx", "tf2onnx", "matplotlib", "torch", "jax"}
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            top = {each.split(".")[0] for each in imports_of(ast.unparse(node))}
            assert not top & heavy, f"{name} imports {top & heavy} as it is imported itself"


def test_the_checks_see_imports_inside_functions() -> None:
    source = "def f():\n    from captcha_solver.cli import main\n    import captcha_solver.solver\n"
    assert inner(imports_of(source)) == {"captcha_solver.cli", "captcha_solver.solver"}
