#!/usr/bin/env python3
"""Power cuts and kills of a host with versions beside one another, by the
programs of tests/power. EDEPLOY_POWER_SEED repeats the states of a run."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../power"))
import runs  # noqa: E402

sys.exit(runs.main([
    # in a machine: an installation, upgrades, trials, rollbacks
    ["cuts", "--states", "100"],
    # what edeploy does, by this machine's kernel
    ["cuts", "--real", "--states", "140"],
    ["cuts", "--real", "--states", "30", "--fs", "xfs"],
    ["cuts", "--real", "--states", "30", "--fs", "btrfs"],
    ["booted", "--states", "6"],
    ["kills", "--kills", "20"],
]))
