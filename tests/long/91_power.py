#!/usr/bin/env python3
"""Power cuts by the thousand on xfs and btrfs (tests/power)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../power"))
import runs  # noqa: E402

sys.exit(runs.main([
    ["cuts", "--real", "--states", "10000", "--fs", "xfs"],
    ["cuts", "--real", "--states", "10000", "--fs", "btrfs"],
]))
