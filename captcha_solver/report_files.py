"""Names of the files of an audit: its raw trials, and the report made of them.

Tested in ``tests/audit/test_report.py``.
"""

TRIALS, CELLS = "trials.jsonl", "cells.jsonl"
JSON_FILE, HTML_FILE, MARKDOWN_FILE = "report.json", "report.html", "report.md"
BADGE_FILE, SHEET_FILE = "badge.svg", "sheet.png"
