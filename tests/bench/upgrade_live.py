"""In namespaces of its own, pid 1 of which it is: a version is entered as if it
had been booted, and upgraded while it runs, and back. Somebody reads a file of
the running version all the time: when does it become the new one, and how long
is there none? Job on stdin, figures on stdout."""
import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/../host", f"{HERE}/../rsyncd"]
import versioned_lab  # noqa: E402

# one that is another in each version
FILE = "/usr/sbin/nginx"
PROBE = f"""
import json, os, sys, time
os.chroot(sys.argv[1])
os.chdir("/")
now, last, longest, lost, rows = None, time.monotonic(), 0, 0, []
print("ready", flush=True)
while not os.path.exists("/run/end"):
    time.sleep(0.0002)
    try:
        inode = os.stat("{FILE}").st_ino
    except OSError:
        lost += 1
        continue
    at = time.monotonic()
    longest = max(longest, at - last)
    if inode != now:
        rows.append((inode, at, at - last))
        now = inode
    last = at
print(json.dumps([rows, longest, lost]))
"""


class Disk(versioned_lab.Lab):
    def __init__(self, job):
        self.top, self.site = job["top"], job["site"]
        self.edeploy = os.path.abspath(job["edeploy"])


def timed(disk, *words):
    began = time.monotonic()
    code, out, err = disk.inside(*words)
    if code or "is the good version" not in out:
        sys.exit(f"edeploy {' '.join(words)}: exit {code}: {out}{err}")
    return began, time.monotonic() - began


def main():
    job = json.load(sys.stdin)
    disk = Disk(job)
    disk.enter(job["was"])
    probe = subprocess.Popen([sys.executable, "-c", PROBE, disk.sysroot],
                             stdout=subprocess.PIPE, text=True)
    probe.stdout.readline()
    up_at, up_s = timed(disk, "upgrade", job["to"])
    back_at, back_s = timed(disk, "rollback")
    with open(f"{disk.sysroot}/run/end", "w"):
        pass
    rows, longest, lost = json.loads(probe.communicate()[0])
    if len(rows) != 3 or rows[0][0] != rows[2][0]:
        sys.exit(f"not there and back: {rows}")
    print(json.dumps({
        "upgrade_s": up_s, "upgrade_to_running_s": rows[1][1] - up_at,
        "switch_s": rows[1][2], "rollback_s": back_s,
        "rollback_to_running_s": rows[2][1] - back_at,
        "rollback_switch_s": rows[2][2], "longest_s": longest,
        "reads_lost": lost}))


main()
