"""What `bench idle` reads of the kernel."""

import os
import subprocess
import sys

from bench.idle import _pss_mb, descendants
from waiting import wait_until

CHILD_OF_A_CHILD = "import subprocess, sys; subprocess.run(['cat'])"


def test_all_descendants_count_each_with_its_share_of_memory():
    with subprocess.Popen([sys.executable, "-c", CHILD_OF_A_CHILD], stdin=subprocess.PIPE) as child:
        wait_until(lambda: len(descendants(child.pid)) == 2, what="a child of the child")

        family = descendants(child.pid)
        assert family[0] == child.pid
        assert set(family) <= set(descendants(os.getpid()))
        # The child's child may be on its way from a copy of its parent to `cat`: for a moment it has no memory at all.
        wait_until(lambda: all(0.05 < _pss_mb(pid) < 500 for pid in family), what="each has a share of memory")
        child.stdin.close()
