"""Imports point one way: what may import what, and no circles."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "captcha_solver"
PACKAGES = ("api", "workers", PACKAGE)  # each may import itself and those behind it
SERVICE = ("api", "workers")
SETTINGS = "workers.settings"  # the one module of the service that reads the environment

LAYERS: list[set[str]] = [  # from the ground up; a module may import its own layer and those below it
    {"types", "errors", "remarks"},
    {"backdrop", "frames", "label_table", "quiet"},
    {"attempt", "beam", "binarise", "charset", "cuts", "image", "lattice", "preprocess", "views"},
    {"picture_bytes", "pictures"},
    {"dataset"},
    {"labels"},
    {"segment", "slide", "decode", "lines", "locate", "models"},
    {"recognizers"},
    {"solver", "designs"},
    {"score", "sheet", "audit", "training", "explain", "client"},
    {
        "doctor",
        "cli",
        "cli_audit",
        "cli_import",
        "cli_leaderboard",
        "cli_read",
        "cli_make",
        "cli_queue",
        "cli_show",
        "cli_submit",
        "demo",
    },
]
EVERYWHERE = {"__init__"}  # the version, and the errors' names


def modules(package: str = PACKAGE) -> dict[str, Path]:
    """Dotted name -> file of every module of a package."""
    files = sorted((ROOT / package).rglob("*.py"))
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


def environment_reads(source: str) -> list[str]:
    """Each use of the environment in ``source``, but for ``**os.environ``: that hands all of it on to a child."""
    tree = ast.parse(source)
    spreads = [
        value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if key is None
    ]
    names = {"environ", "environb", "getenv", "getenvb"}
    found = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in names and node not in spreads
    ]
    imported = imports_of(source) & {f"os.{name}" for name in names}
    return found + sorted(imported)


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


def service_modules() -> dict[str, Path]:
    return {name: file for package in SERVICE for name, file in modules(package).items()}


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


def test_http_is_spoken_in_one_folder_that_two_commands_use() -> None:
    imported = {name: imports_of(path.read_text(encoding="utf-8")) for name, path in modules().items()}
    outside = {name: names for name, names in imported.items() if part(name) != "client"}
    web = {"httpx", "requests", "aiohttp", "urllib.request", "urllib3", "http.client"}
    assert not [name for name, names in outside.items() if names & web]
    users = {name for name, names in outside.items() if any(each.startswith(f"{PACKAGE}.client") for each in names)}
    assert users == {f"{PACKAGE}.cli_queue", f"{PACKAGE}.cli_submit"}


@pytest.mark.parametrize("name", list(service_modules()))
def test_packages_point_one_way(name: str) -> None:
    ours = PACKAGES.index(name.split(".")[0])
    outside = {each.split(".")[0] for each in imports_of(service_modules()[name].read_text(encoding="utf-8"))}
    assert not outside & {*PACKAGES[:ours], "tests", "benchmarks", "pickle"}


@pytest.mark.parametrize("name", list(service_modules()))
def test_the_environment_is_read_in_one_module(name: str) -> None:
    reads = environment_reads(service_modules()[name].read_text(encoding="utf-8"))
    assert bool(reads) == (name == SETTINGS), f"{name} reads the environment: {reads}"


@pytest.mark.parametrize("name", list(modules()))
def test_heavy_libraries_are_imported_inside_functions(name: str) -> None:
    body = ast.parse(modules()[name].read_text(encoding="utf-8")).body
    heavy = {"keras", "tensorflow", "onnxruntime", "onnx", "tf2onnx", "matplotlib", "torch", "jax", "httpx"}
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            top = {each.split(".")[0] for each in imports_of(ast.unparse(node))}
            assert not top & heavy, f"{name} imports {top & heavy} as it is imported itself"


def test_the_checks_see_imports_inside_functions() -> None:
    source = "def f():\n    from captcha_solver.cli import main\n    import captcha_solver.solver\n"
    assert inner(imports_of(source)) == {"captcha_solver.cli", "captcha_solver.solver"}


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("import os\nPORT = os.environ['PORT']", ["os.environ"]),
        ("import os\ndef f():\n    return os.getenv('PORT')", ["os.getenv"]),
        ("from os import environ", ["os.environ"]),
        ("import os\nPORT = {**os.environ}['PORT']\nHOST = os.environ.get('HOST')", ["os.environ"]),
        ("import os\nrun(env={**os.environ, 'OMP_NUM_THREADS': '1'})", []),
        ("environment = {}\nenvironment.get('PORT')", []),
    ],
)
def test_the_checks_see_reads_of_the_environment(source: str, reads: list[str]) -> None:
    assert environment_reads(source) == reads
