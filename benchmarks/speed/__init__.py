"""Where the time goes: stages of both routes, the network against the core's peak, its growth, and the drawer."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # read when NumPy is first imported
    os.environ.setdefault(_name, "1")
