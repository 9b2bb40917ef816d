"""Read images in one reader's environment and say what was read and how long it took: one JSON document on stdout.

    python serve.py ADAPTER OPTIONS < JOB

Standard library only, since every environment runs it. ADAPTER is a file beside it in ``adapters/``; JOB is JSON:
``images`` (paths), ``batch`` (images a call), ``core`` (the processor to stay on, or null) and ``sure`` (whether the
reader says how sure it is, which takes some of them longer: not where time counts).

Tested in ``tests/benchmarks/peers/test_measure.py``.
"""

import importlib.util
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT", "TF_NUM_INTRAOP_THREADS")


def main() -> None:
    """Run one job."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not meet the answer
    adapter, options = sys.argv[1], json.loads(sys.argv[2])
    job = json.load(sys.stdin)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    if job["core"] is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {job["core"]})
    reader = _module(adapter).Reader(options)
    json.dump(_read(reader, job["images"], job["batch"], job["sure"]), out)
    out.close()


def _module(name: str) -> Any:
    path = Path(__file__).parent / "adapters" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"no adapter {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _read(reader: Any, paths: list[str], batch: int, sure: bool) -> dict[str, Any]:
    read = reader.read_sure if sure else reader.read
    data = [Path(path).read_bytes() for path in paths]
    if data:
        read(data[:1])  # the first call also loads what is loaded late
    answers: list[Any] = []
    call_ms: list[float] = []
    for start in range(0, len(data), batch):
        began = time.perf_counter()
        answers += read(data[start : start + batch])
        call_ms.append((time.perf_counter() - began) * 1e3)
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    texts = [text for text, _ in answers] if sure else answers
    confidences = [confidence for _, confidence in answers] if sure else None
    return {"texts": texts, "confidences": confidences, "call_ms": call_ms, "peak_mib": max(peaks) / 1024}


if __name__ == "__main__":
    main()
