"""Log lines: JSON on stderr, one event a line.

Tested in ``tests/workers/test_worker.py``.
"""

import logging
import sys

import structlog


def set_up_logs(level: int = logging.INFO) -> None:
    """Make this process log JSON to stderr."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
