"""The JSON Schema of reports: those of each kind of subject are what it says, field by field; and so are the docs."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from captcha_solver.audit import report as reports
from captcha_solver.audit.cells import LedgerEntry, TrialRecord
from captcha_solver.audit.findings.curves import THRESHOLDS
from captcha_solver.audit.findings.verdicts import Verdict
from captcha_solver.audit.provenance import Provenance
from captcha_solver.report_files import CELLS, JSON_FILE, TRIALS
from scripts import report_schema
from tests.audit.audited import audited
from tests.audit.results import result, solving
from tests.audit.test_report import FACTS_OF
from tests.paths import ROOT

SCHEMA: dict[str, Any] = json.loads(report_schema.PATH.read_text("utf-8"))
DOCS = (ROOT / "docs" / "audit-files.md").read_text("utf-8")
ADDED = {"inconclusive", "provenance.answer", "provenance.infer"}  # to version 1: earlier reports are valid
KINDS = ("design", "folder", "command", "callable")


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an audit of each kind of subject, made with ``--improve``, a cell of each left out."""
    return audited(tmp_path_factory.mktemp("audits"), KINDS)


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / JSON_FILE).read_text("utf-8"))
    return found


def faults(report: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(report)]


def meant(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema, and those that it refers to or offers."""
    yield schema
    if "$ref" in schema:
        yield from meant(SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]])
    for each in schema.get("anyOf", ()):
        yield from meant(each)


def named(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, schema) of each field: ``a.b``, ``a[].b``."""
    for each in meant(schema):
        for name, inner in each.get("properties", {}).items():
            below = f"{path}.{name}" if path else name
            yield below, inner
            yield from named(inner, below)
        if isinstance(each.get("items"), dict):
            yield from named(each["items"], f"{path}[]")


def held(value: Any, maps: set[str], path: str = "") -> Iterator[str]:
    """The path of each field of a report; the keys of ``maps`` are no fields."""
    if isinstance(value, list):
        for each in value:
            yield from held(each, maps, f"{path}[]")
    elif isinstance(value, dict) and path not in maps:
        for name, inner in value.items():
            below = f"{path}.{name}" if path else name
            yield below
            yield from held(inner, maps, below)


FIELDS = dict(named(SCHEMA))
MAPS = {path for path, schema in FIELDS.items() if any("additionalProperties" in each for each in meant(schema))}


def test_the_schema_is_that_of_the_types() -> None:
    assert report_schema.PATH.read_text("utf-8") == report_schema.text(), "run python -m scripts.report_schema"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema_version"]["enum"] == [reports.SCHEMA_VERSION]
    assert SCHEMA["$id"].endswith(f":{reports.SCHEMA_VERSION}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_real_report_is_what_the_schema_says(audits: Path, kind: str) -> None:
    report = read(audits / kind)
    assert faults(report) == []
    assert report["design"]["kind"] == report["provenance"]["subject"]["kind"] == kind


def test_a_report_on_nothing_is_what_the_schema_says() -> None:
    assert faults(json.loads(reports.build(FACTS_OF, []).to_json())) == []


def test_real_reports_have_every_field_of_the_schema_and_no_other(audits: Path) -> None:
    untested = json.loads(reports.build(replace(FACTS_OF, animated=1), [result("sliding", 0, solving("."))]).to_json())
    assert faults(untested) == []
    made = [*(read(audits / kind) for kind in KINDS), untested]
    assert {path for report in made for path in held(report, MAPS)} == set(FIELDS)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("schema_version",), 2, "2 is not one of [1]"),
        (("attacks", 0, "rate"), 1.5, "greater than the maximum of 1"),
        (("attacks", 0, "rate"), None, "is not of type 'number'"),
        (("attacks", 0, "labels"), -2, "less than the minimum of -1"),
        (("attacks", 0, "ci95"), [0.1], "is too short"),
        (("thresholds", 0, "status"), "weak", "is not one of"),
        (("thresholds", 0, "bound"), "<", "is not valid under any of the given schemas"),
        (("provenance", "images_sha256"), "abc", "does not match"),
        (("features", 0, "change"), -1.5, "less than the minimum of -1"),
        (("flags",), "none", "is not of type 'array'"),
    ],
)
def test_what_is_no_report_does_not_pass(audits: Path, path: tuple[Any, ...], value: object, told: str) -> None:
    report = read(audits / "design")
    *way, last = path
    inner: Any = report
    for step in way:
        inner = inner[step]
    inner[last] = value
    assert any(told in fault for fault in faults(report)), faults(report)


@pytest.mark.parametrize("path", [p for p in FIELDS if "[]" not in p and p.count(".") < 2 and p not in ADDED])
def test_a_field_that_is_missing_is_missed(audits: Path, path: str) -> None:
    report = read(audits / "design")
    inner: Any = report
    *way, last = path.split(".")
    for step in way:
        inner = inner[step]
    del inner[last]
    assert faults(report)


def test_a_report_of_before_a_field_was_added_is_still_valid(audits: Path) -> None:
    report = read(audits / "design")
    for name in ADDED:
        *way, last = name.split(".")
        inner: Any = report
        for step in way:
            inner = inner[step]
        del inner[last]
    assert faults(report) == []


def test_every_field_is_described() -> None:
    assert [path for path, schema in FIELDS.items() if not any("description" in each for each in meant(schema))] == []


def test_the_words_of_the_schema_are_those_of_the_code() -> None:
    assert SCHEMA["$defs"]["Verdict"]["enum"] == sorted(Verdict)
    told = FIELDS["curves[].labels_needed[].threshold"]["description"]
    assert [float(each) for each in re.findall(r"[\d.]*\d", told)] == list(THRESHOLDS)
    kept = {each.name for each in fields(Provenance)} | {"models"}
    assert {path.split(".")[1] for path in FIELDS if path.startswith("provenance.")} == kept


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the docs."""
    section = re.split(r"^## ", DOCS, flags=re.MULTILINE)
    below = next(part for part in section if part.startswith(heading))
    lines = [line.strip("|").split("|") for line in below.replace("\\|", "/").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines[2:]]


def test_the_docs_name_the_fields_of_the_schema() -> None:
    where, found = "", []
    for place, names, _ in rows("report.json"):
        where = place.strip("`") or where
        found += [f"{where}.{name}" if where else name for name in re.findall(r"`([^`]+)`", names)]
    assert len(found) == len(set(found))
    objects = {path for path in FIELDS if any(other.startswith((f"{path}.", f"{path}[]")) for other in FIELDS)}
    top = {path for path in objects if "." not in path}  # named by where their own fields stand
    assert set(found) == set(FIELDS) - top


@pytest.mark.parametrize(("name", "kind"), [(TRIALS, TrialRecord), (CELLS, LedgerEntry)])
def test_the_docs_name_the_fields_of_each_line(audits: Path, name: str, kind: type) -> None:
    found = [cells[0].strip("`") for cells in rows(name)]
    assert found == [each.name for each in fields(kind)]
    for folder in KINDS:
        lines = (audits / folder / name).read_text("utf-8").split("\n")[:-1]
        assert lines
        assert all(set(json.loads(line)) == set(found) for line in lines)


def test_the_lines_that_the_docs_show_are_lines() -> None:
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", DOCS)]
    assert [set(line) for line in shown] == [
        {each.name for each in fields(kind)} for kind in (TrialRecord, LedgerEntry)
    ]


def test_the_docs_name_the_files(audits: Path) -> None:
    told = set(re.findall(r"^\| `([\w.]+)/?` \|", DOCS, re.MULTILINE))
    assert {each.name for each in (audits / "design").iterdir()} <= told
