"""Writes the JSON Schema of ``report.json`` beside the types that it is made from: ``python -m scripts.report_schema``.

Tested in ``tests/audit/test_schema.py``.
"""

import json
from pathlib import Path

from captcha_solver.audit import report

PATH = Path(report.__file__).with_name(report.SCHEMA_FILE)


def text() -> str:
    """What the file is to hold."""
    return json.dumps(report.json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
