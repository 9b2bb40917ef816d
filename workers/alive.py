"""``python -m workers.alive``: exit 0 where a worker of this host said lately that it is ready; for health checks.

Tested in ``tests/deploy/test_topology.py``.
"""

import socket
import sys
import time

from redis.exceptions import RedisError

from workers import keys
from workers.connection import Client, connect
from workers.settings import read_settings


def ready_on(redis: Client, host: str) -> bool:
    """Whether a worker of ``host`` is ready: its name is the host, its process and random digits."""
    listed = (keys.WORKERS, keys.AUDIT_WORKERS)
    names = [each.decode() for key in listed for each in redis.zrangebyscore(key, time.time(), "+inf")]
    return any(name.rsplit("-", 2)[0] == host for name in names)


def main() -> int:
    url = read_settings().redis_url
    try:
        return 0 if url and ready_on(connect(url, retries=0), socket.gethostname()) else 1
    except RedisError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
