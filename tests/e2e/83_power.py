#!/usr/bin/env python3
"""Power cuts and kills of a host with versions beside one another, by the
programs of tests/power. EDEPLOY_POWER_SEED repeats the states of a run."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../power"))
import runs  # noqa: E402

sys.exit(runs.main([
    # in a machine: the scheme of versions, and the agent that installs one
    ["cuts", "--states", "60"],
    ["cuts", "--of", "install", "--states", "40"],
    # what edeploy does, by this machine's kernel: upgrades and a rollback by
    # boots, on a host that moves while it runs, on one that is converted
    ["cuts", "--of", "boot", "--states", "60"],
    ["cuts", "--of", "live", "--states", "60"],
    ["cuts", "--of", "convert", "--states", "60"],
    ["cuts", "--of", "boot", "--states", "10", "--fs", "xfs"],
    ["cuts", "--of", "boot", "--states", "10", "--fs", "btrfs"],
    ["booted", "--states", "6"],
    ["kills", "--kills", "6"],
    ["walks", "--live", "4", "--beside", "4"],
]))
