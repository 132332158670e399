"""Settings of the whole suite, made before anything imports PyTorch."""

import os

# Tensors are tiny here, so that a second thread costs more than it does; so it is for
# the processes that tests start, and where several workers share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
