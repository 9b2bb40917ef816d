"""Imports point one way: what may import what, and no circles."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGE = "captcha_solver"
ABOVE = {  # package -> those of ours that it may import besides itself
    PACKAGE: set(),
    "workers": {PACKAGE},
    "api": {"workers", PACKAGE},
    "scripts": {PACKAGE},
    "benchmarks": {"api", "workers", PACKAGE},
    "datasets": {PACKAGE},
}
SERVICE = ("api", "workers")
SETTINGS = "workers.settings"  # the one module of the service that reads the environment

FLOORS: list[set[str]] = [  # from the ground up: modules, or folders; each imports its own floor and those below it
    {
        "types",
        "errors",
        "files",
        "remarks",
        "records",
        "statistics",
        "symbols",
        "terminal",
        "texts",
        "audit_settings",
        "report_files",
        "arithmetic",
    },
    {
        "attempt",
        "quiet",
        "charset",
        "voting",
        "text_prior",
        "views",
        "imaging.backdrop",
        "imaging.frames",
        "folders.labels_csv",
    },
    {"image", "decoding"},
    {"imaging.picture_bytes", "folders.contents", "segmented", "sliding", "models"},
    {"dataset", "locate"},
    {"labels", "recognizers"},
    {"solver", "designs"},
    {"score", "sheet", "client"},
    {"training"},
    {"audit"},
    {"cli"},
]
ROOT_ONLY = {PACKAGE}  # the version, and the names that the package offers


def modules(package: str = PACKAGE) -> dict[str, Path]:
    """Dotted name -> file of every module of a package; a package's own name stands for its ``__init__``."""
    files = sorted(each for each in (ROOT / package).rglob("*.py") if "node_modules" not in each.parts)
    dotted = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}
    return {name.removesuffix(".__init__"): file for name, file in dotted.items()}


ALL = {name: file for package in ABOVE for name, file in modules(package).items()}


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


def imported_by(name: str) -> set[str]:
    """Our modules that a module imports, inside functions and for type checking too."""
    return {each for each in imports_of(ALL[name].read_text(encoding="utf-8")) if each in ALL} - {name}


def floor(name: str) -> int:
    """The floor of a module of the library, found by its longest name in ``FLOORS``."""
    parts = name.split(".")[1:]
    names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    for each in names:
        for number, members in enumerate(FLOORS):
            if each in members:
                return number
    raise AssertionError(f"{name} stands on no floor: say where, in tests/repository/test_architecture.py")


def inner(names: set[str]) -> set[str]:
    """Those of ``names`` that are modules of the library."""
    return names & set(modules())


def service_modules() -> dict[str, Path]:
    return {name: file for package in SERVICE for name, file in modules(package).items()}


@pytest.mark.parametrize("name", [name for name in modules() if name not in ROOT_ONLY])
def test_imports_point_down(name: str) -> None:
    for imported in imported_by(name) - ROOT_ONLY:
        assert floor(imported) <= floor(name), f"{name} imports {imported}, which stands above it"


def test_every_floor_has_only_what_there_is() -> None:
    there = {name.removeprefix(f"{PACKAGE}.") for name in modules()}
    named = [member for members in FLOORS for member in members]
    assert len(named) == len(set(named))
    assert not [member for member in named if member not in there]


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {name: {each for each in imported_by(name) if each not in ROOT_ONLY} for name in ALL}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
    else:
        circle = ""
    assert not circle, f"modules import each other in a circle: {circle}"


@pytest.mark.parametrize("name", list(ALL))
def test_packages_point_one_way(name: str) -> None:
    package = name.split(".")[0]
    outside = {each.split(".")[0] for each in imports_of(ALL[name].read_text(encoding="utf-8"))}
    assert not outside & ({*ABOVE, "tests", "pickle"} - ABOVE[package] - {package})


def mirror_of(name: str) -> Path:
    """Where the tests of a module stand: in the same tree, without the library's own name."""
    folder, _, leaf = name.removeprefix(f"{PACKAGE}.").rpartition(".")
    return ROOT.joinpath("tests", *filter(None, folder.split(".")), f"test_{leaf}.py")


@pytest.mark.parametrize("name", [each for each in ALL if each.split(".")[-1] != "__main__"])
def test_a_module_has_tests_of_its_name_or_names_those_it_has(name: str) -> None:
    if ALL[name].name == "__init__.py" or mirror_of(name).is_file():
        return
    told = ast.get_docstring(ast.parse(ALL[name].read_text(encoding="utf-8"))) or ""
    named = re.findall(r"Tested in ``(tests/[\w/]+\.py)``\.", told)
    assert named, f"{name} has no {mirror_of(name).relative_to(ROOT)}, and its docstring names no other tests"
    assert all((ROOT / each).is_file() for each in named)


def test_modules_are_short() -> None:
    lines = sorted(len(file.read_text(encoding="utf-8").splitlines()) for file in ALL.values() if file.stat().st_size)
    assert lines[len(lines) // 2] <= 130
    assert [name for name, file in ALL.items() if len(file.read_text(encoding="utf-8").splitlines()) > 300] == []


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
    outside = {name: names for name, names in imported.items() if not name.startswith(f"{PACKAGE}.client")}
    web = {"httpx", "requests", "aiohttp", "urllib.request", "urllib3", "http.client"}
    assert not [name for name, names in outside.items() if names & web]
    users = {name for name, names in outside.items() if any(each.startswith(f"{PACKAGE}.client") for each in names)}
    assert users == {f"{PACKAGE}.cli.queued_audit", f"{PACKAGE}.cli.submit"}


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
    source = "def f():\n    from captcha_solver.cli.main import main\n    import captcha_solver.solver\n"
    assert inner(imports_of(source)) == {"captcha_solver.cli.main", "captcha_solver.solver"}


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
