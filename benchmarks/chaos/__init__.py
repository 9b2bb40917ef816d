"""Kills workers, Redis and the API while jobs run, and counts answers that are lost, doubled or wrong."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # read when NumPy is first imported
    os.environ.setdefault(_name, "1")
