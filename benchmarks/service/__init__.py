"""The service against the same solver without one: images a second, time of one answer, and memory over a long run."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # read when NumPy is first imported
    os.environ.setdefault(_name, "1")
