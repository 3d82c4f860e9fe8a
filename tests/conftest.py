"""Settings of all tests: every process computes on one thread.

So do the processes that it starts.
"""

import os
from pathlib import Path

# else each worker's linear algebra would take all cores from the others
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# stored measures are those of NumPy without AVX-512, which rounds arccos and its like otherwise
CPU = Path("/proc/cpuinfo")
if CPU.exists() and "avx512f" in CPU.read_text():
    os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_ICL")
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
# a test's standard error is that of a user whose code is compiled already
os.environ.setdefault("ARM_ENV_QUIET", "1")
# numba.cuda simulates a GPU; 0 tests the one of this machine
os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")
