"""The OpenAPI document, with the bodies and queries that the routes read themselves.

Tested in ``tests/api/test_schemathesis.py``.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from api.problems import ProblemDetail
from api.requests.audit_schemas import HIGHEST_PRICE, MOST_MINUTES, MOST_TESTED, SUBJECT_NAME, AuditRequest
from api.requests.audits import drawable
from api.requests.schemas import CHARSET, LENGTH, MOST_OF_A_CHARSET, VIEWS, JobRequest, SolveRequest
from captcha_solver.arithmetic.expressions import ANSWERS
from captcha_solver.audit_settings import FEWEST_TESTED
from captcha_solver.voting import USUAL
from workers.settings import Settings

BUDGETS = r"^(0|[1-9][0-9]{1,3})(,(0|[1-9][0-9]{1,3})){0,11}$"
MODEL = {"$ref": "#/components/schemas/ModelName"}
FILE: dict[str, Any] = {"type": "string", "format": "binary"}  # may be empty: its item fails, not the job
IMAGE: dict[str, Any] = {**FILE, "minLength": 1}
# Bodies are described in media types that generators of clients know; the routes take image/*, application/zip and
# application/toml as well.
ARCHIVE: dict[str, Any] = {**IMAGE, "description": "A zip of images, with a labels.csv or without; or one image"}
READING: dict[str, Any] = {  # ReadingOptions, as a query and a form can say them
    "model": MODEL,
    "charset": {"type": "string", "maxLength": MOST_OF_A_CHARSET, "pattern": CHARSET, "format": "charset"},
    "length": {"type": "string", "pattern": LENGTH, "format": "length"},
    "fold_case": {"type": "boolean"},
    "views": {"type": "string", "pattern": VIEWS, "default": USUAL},
    "answer": {"type": "string", "enum": list(ANSWERS)},
}
WEBHOOK: dict[str, Any] = {"type": "string", "maxLength": 2000}
JOB_READING: dict[str, Any] = {**READING, "infer": {"type": "boolean"}}  # JobOptions besides
JOB_QUERY: dict[str, Any] = {**JOB_READING, "webhook": WEBHOOK}
SOLVE_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {"file": FILE, **READING},
    "required": ["file"],
    "additionalProperties": False,
}
JOB_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "files[]": {"type": "array", "items": FILE, "minItems": 1, "description": "1,000 at most"},
        **JOB_READING,
        "labels": {"$ref": "#/components/schemas/Labels"},
        "metadata": {"$ref": "#/components/schemas/Metadata"},
        "webhook": WEBHOOK,
    },
    "required": ["files[]"],
    "additionalProperties": False,
}
PRICE: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": HIGHEST_PRICE}
AUDIT_QUERY: dict[str, Any] = {  # AuditOptions, as a query can say them
    "name": {"type": "string", "pattern": SUBJECT_NAME},
    "budgets": {"type": "string", "pattern": BUDGETS, "description": "Numbers of labels, by commas"},
    "minutes": {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_MINUTES},
    "tested": {"type": "integer", "minimum": FEWEST_TESTED, "maximum": MOST_TESTED},
    "seed": {"type": "integer", "minimum": 0, "maximum": 2**31},
    "fold_case": {"type": "boolean"},
    "answer": {"type": "string", "enum": list(ANSWERS)},
    "infer": {"type": "boolean"},
    "improve": {"type": "boolean"},
    "price_core_hour": PRICE,
    "price_label": PRICE,
    "price_attempt": PRICE,
}
SUBJECT: dict[str, Any] = {**FILE, "description": "A zip of images and a labels.csv, or a design of yours as TOML"}

HEADERS: dict[str, Any] = {
    "Location": {"description": "Where the job is", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds until it is worth asking", "schema": {"type": "integer"}},
    "ETag": {"description": "For If-None-Match", "schema": {"type": "string"}},
}
LINKS: dict[str, Any] = {  # what can be asked of a job that was just made
    name: {"operationId": name, "parameters": {"job_id": "$response.body#/id"}}
    for name in ("job", "results", "events", "cancel", "remove")
}
ACCEPTED: dict[str, Any] = {"description": "A job, to be asked for", "headers": HEADERS, "links": LINKS}

AUDIT_LINKS: dict[str, Any] = {
    name: {"operationId": name, "parameters": {"audit_id": "$response.body#/id"}}
    for name in ("audit", "report", "trials", "badge", "files", "audit_events", "cancel_audit", "remove_audit")
}
AUDIT_ACCEPTED: dict[str, Any] = {"description": "An audit, to be asked for", "headers": HEADERS, "links": AUDIT_LINKS}


def body(model: type[BaseModel], query: Mapping[str, Any] = READING, **more: Mapping[str, Any]) -> dict[str, Any]:
    """``openapi_extra`` of a route that reads body and query itself: JSON as ``model``, and other media types."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
    content |= {media: {"schema": dict(schema)} for media, schema in more.items()}
    parameters = [{"name": name, "in": "query", "required": False, "schema": each} for name, each in query.items()]
    return {"requestBody": {"required": True, "content": content}, "parameters": parameters}


def document(app: FastAPI, settings: Settings) -> None:
    """Make ``app`` tell what FastAPI cannot know."""
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = generated()
            _complete(made.setdefault("components", {}).setdefault("schemas", {}), settings)
            app.openapi_schema = made if settings.webhook_hosts else _without_webhooks(made)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(schemas: dict[str, Any], settings: Settings) -> None:
    for model in (ProblemDetail, JobRequest, SolveRequest, AuditRequest):
        made = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= made.pop("$defs", {})
        schemas[model.__name__] = made
    schemas["ModelName"] = {"type": "string", "enum": list(settings.models)}
    schemas["AuditRequest"]["properties"]["design"]["enum"] = list(drawable())
    options = schemas["JobRequest"]["properties"]
    for name in ("labels", "metadata"):
        schemas[name.capitalize()] = options[name]["anyOf"][0]
        options[name]["anyOf"][0] = {"$ref": f"#/components/schemas/{name.capitalize()}"}
    schemas["Metadata"]["additionalProperties"] = False  # pydantic tells what names are fit, not that others are not
    for name in ("JobRequest", "SolveRequest"):
        schemas[name]["properties"]["model"] = {"anyOf": [MODEL, {"type": "null"}]}


def _without_webhooks(made: Any) -> Any:
    """The document of a service that sends none: where one is asked for, the request is refused."""
    if isinstance(made, dict):
        return {key: _without_webhooks(value) for key, value in made.items() if key != "webhook"}
    if isinstance(made, list):
        return [
            _without_webhooks(each) for each in made if not (isinstance(each, dict) and each.get("name") == "webhook")
        ]
    return made
