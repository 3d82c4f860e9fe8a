"""What all tests share: worker processes compute on one thread each, with the processes that they start."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # else each worker's linear algebra would take all cores from the others
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("ARM_ENV_QUIET", "1")  # a test's standard error is that of a user whose code is compiled already
