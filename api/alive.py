"""``python -m api.alive``: exit 0 where the API of this host answers; for health checks.

Tested in ``tests/deploy/test_topology.py``.
"""

import http.client
import sys

from workers.settings import read_settings

WITHIN_S = 3.0


def answers(port: int) -> bool:
    """Whether ``GET /healthz`` on this host is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers(read_settings().port) else 1)
