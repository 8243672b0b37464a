#!/usr/bin/env python3
"""65_host_faults.py BUILD: every system call of an upgrade beside the running
version, of a rollback and of a cleaning fails once (tests/host/faults_test.py).
Prints TAP."""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.abspath(sys.argv[1])
os.execv(sys.executable, [
    sys.executable, "-u", f"{TOP}/tests/host/faults_test.py",
    f"{BUILD}/edeploy", f"{BUILD}/edeployctl", "--all"])
