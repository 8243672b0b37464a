#!/usr/bin/env python3
"""85_publish.py BUILD: publishing is killed KILLS times (200)."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TEST = f"{HERE}/../rsyncd/publish_kill_test.py"
os.environ.setdefault("KILLS", "200")
os.execv(sys.executable, [sys.executable, TEST, f"{sys.argv[1]}/edeployctl"])
