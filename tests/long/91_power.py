#!/usr/bin/env python3
"""More than 10,000 power cuts on xfs and on btrfs, no two alike
(tests/power)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../power"))
import runs  # noqa: E402

sys.exit(runs.main([
    ["cuts", "--of", "boot", "--states", "10100", "--fs", "xfs"],
    ["cuts", "--of", "boot", "--states", "10100", "--fs", "btrfs"],
]))
