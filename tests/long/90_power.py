#!/usr/bin/env python3
"""Power cuts by the thousand on ext4, 200 of them really booted, and a kill at
every system call of an upgrade and of a rollback (tests/power)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../power"))
import runs  # noqa: E402

sys.exit(runs.main([
    ["cuts", "--states", "5000"],
    ["cuts", "--real", "--states", "5000"],
    ["booted", "--states", "200"],
    ["kills"],
]))
