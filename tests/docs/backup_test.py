#!/usr/bin/env python3
"""backup_test.py EDEPLOYD EDEPLOYCTL: docs/operations.md, "Backup and restore",
while machines ask: what is restored is one state, and what does not fit is
noticed."""
import json
import os
import re
import shutil
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../server"))
import decision as d  # noqa: E402
from decision import Server, check  # noqa: E402

CMDB = "[\n" + "".join(f" {{'ip': '10.0.0.{n}'}},\n"
                       for n in range(1, 61)) + "]\n"


def back_up(s, name):
    """The site first: what the store knows more is written to it again."""
    os.mkdir(f"{s.dir}/{name}")
    shutil.copytree(f"{s.dir}/site", f"{s.dir}/{name}/site")
    live = sqlite3.connect(f"{s.dir}/store/edeploy.db")
    copy = sqlite3.connect(f"{s.dir}/{name}/edeploy.db")
    live.backup(copy)
    live.close()
    copy.close()


def restore(s, name, site=True, store=True):
    s.stop()
    shutil.rmtree(f"{s.dir}/store")
    if site:
        shutil.rmtree(f"{s.dir}/site")
        shutil.copytree(f"{s.dir}/{name}/site", f"{s.dir}/site")
    if store:
        os.mkdir(f"{s.dir}/store", 0o700)
        shutil.copy(f"{s.dir}/{name}/edeploy.db", f"{s.dir}/store")
    s.start()


def given(s):
    """{MAC: ip} of what `edeployctl cmdb` and the file say."""
    entries = json.loads(s.ctl("cmdb", "vm", "--json")[1])
    said = {e["mac"]: e["ip"] for e in entries if "used" in e}
    with open(f"{s.dir}/site/vm.cmdb") as f:
        text = f.read()
    return said, {m: ip for ip, m in re.findall(
        r"'ip': '([\d.]+)'[^}]*'mac': '([\da-f:]+)'[^}]*'used'", text)}


def agreed(s):
    """Store and file, once they are the same; for at most 10 s."""
    for _ in range(50):
        said, written = given(s)
        if said == written:
            break
        time.sleep(0.2)
    return said, written


def ip_of(answer):
    return re.search(r'\["ip"\] = "([\d.]+)"', answer[1])[1] \
        if answer[0] == 200 else answer[1]


def memory_of(s, run, n):
    """What marks on the disks of machine n are made of."""
    return s.upload(run, n)[2]["Edeploy-Memory"]


def test_while_asking(programs):
    s = Server(*programs, "[('vm', '*')]\n", CMDB)
    first = {n: ip_of(s.upload(n, n)) for n in range(1, 21)}
    old = memory_of(s, 91, 1)
    later = threading.Thread(target=lambda: [
        s.upload(n, n) for n in range(21, 41)])
    later.start()
    back_up(s, "backup")
    later.join()
    young = memory_of(s, 92, 50)
    check("a machine is remembered from run to run",
          old == memory_of(s, 93, 1) and young != old, (old, young))
    restore(s, "backup")
    said, written = agreed(s)
    check("restored store and site agree", len(said) >= 20 and
          said == written, (said, written))
    check("and nothing is wrong", s.ctl("check")[0] == 0, s.ctl("check"))
    again = {n: ip_of(s.upload(100 + n, n)) for n in range(1, 21)}
    check("each machine has the entry that it had", again == first,
          (again, first))
    check("it is the same machine, with its own disks",
          memory_of(s, 94, 1) == old)
    check("one that is younger than the backup is not, whatever its id",
          memory_of(s, 95, 50) != young)
    s.ctl("release", "SER50")
    younger = memory_of(s, 96, 50)
    s.ctl("release", "SER50")
    s.ctl("forget", "SER50")
    check("nor is one that was forgotten", memory_of(s, 97, 50) != younger)
    s.ctl("release", "SER50")
    every = {n: ip_of(s.upload(200 + n, n)) for n in range(1, 41)}
    check("and no two have one", len(set(every.values())) == 40, every)
    test_mixed(s, first, old)
    s.end()


def test_mixed(s, first, old):
    agreed(s)
    restore(s, "backup", site=False)
    code, said = s.ctl("check")
    check("a store older than the file is noticed, with the remedy",
          code == 1 and "older than the file" in said and
          "Delete line 1" in said, said)
    saw = s.upload(300, 1)
    check("machines wait for a person", saw[0] == 503 and
          "older than the file" in saw[1], saw)
    path = f"{s.dir}/site/vm.cmdb"
    with open(path) as f:
        text = f.read()
    s.put("vm.cmdb", text.split("\n", 1)[1])
    said, written = agreed(s)
    check("without line 1 it is taken", said == written and
          s.ctl("check")[0] == 0, (said, written, s.ctl("check")))
    before = agreed(s)[0]
    restore(s, "backup", site=False, store=False)
    said, written = agreed(s)
    check("a lost store is built from the file", said == before,
          (said, before))
    again = {n: ip_of(s.upload(400 + n, n)) for n in range(1, 21)}
    check("and machines find the entries that have their words",
          again == first, again)
    check("but are others to it, with others' disks",
          memory_of(s, 500, 1) != old)


def main():
    programs = tuple(os.path.abspath(p) for p in sys.argv[1:3])
    d.at_once([lambda: test_while_asking(programs)])
    return d.end()


sys.exit(main())
