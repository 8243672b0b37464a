#!/usr/bin/env python3
"""More than 10,000 power cuts on ext4, no two alike; 200 that are really
booted; a kill at every system call of what edeploy does, live and at boot, and
kills again and again (tests/power)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../power"))
import runs  # noqa: E402

sys.exit(runs.main([
    ["cuts", "--states", "2000"],
    ["cuts", "--of", "install", "--states", "2000"],
    ["cuts", "--of", "plain", "--states", "2000"],
    ["cuts", "--of", "boot", "--states", "2000"],
    ["cuts", "--of", "live", "--states", "2000"],
    ["cuts", "--of", "convert", "--states", "2000"],
    ["booted", "--states", "200"],
    ["kills"],
    ["walks", "--live", "500", "--beside", "500"],
]))
