#!/usr/bin/env python3
"""decision_test.py EDEPLOYD EDEPLOYCTL: the decision as a machine and an
operator meet it: a real edeployd over a real site, asked by HTTP."""
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import decision as d  # noqa: E402
from decision import Server, check  # noqa: E402
from ports import free_port  # noqa: E402

CMDB = ("[\n {'ip': '10.0.0.1'}, # rack 1\n"
        " {'ip': '10.0.0.2', 'hostname': 'two'},\n]\n")


def test_life(programs):
    s = Server(*programs, "[('vm', 2)]\n", CMDB)
    status, text, head = s.upload(1, 1)
    check("assigned", status == 200 and text.startswith(
        "-- EDEPLOY_PROFILE = vm\nvar = {") and
        "\n-- EDEPLOY_CONFIGURE = vm.configure\nlog('one')\n" in text, text)
    check("with the first entry", '"10.0.0.1"' in text, text)
    check("the same run gets the same bytes", s.upload(1, 1)[1] == text)
    for _ in range(40):  # at most a second late; here it may be a slow machine
        with open(f"{s.dir}/site/vm.cmdb") as f:
            written = f.read()
        if "@" in written:
            break
        time.sleep(0.1)
    check("the entry is written back, the rest as it was",
          re.match(r"# edeploy [0-9a-f]{16}\n\[\n \{'ip': '10.0.0.1', .*"
                   r"'used': 1\}, # 1@1 # rack 1\n \{'ip': '10.0.0.2', "
                   r"'hostname': 'two'\},\n\]",
                   written), written)
    s.put("vm.configure", "log('two')\n")
    time.sleep(0.7)
    status, text2, head2 = s.upload(2, 1)
    check("a new run keeps the entry and takes today's script",
          '"10.0.0.1"' in text2 and "log('two')" in text2, text2)
    for run in range(3, 8):
        s.upload(run, 1)
    check("retries take no unit", s.upload(20, 2)[0] == 200)
    status, text, _ = s.upload(30, 3)
    check("no unit left: it waits, with the reason", status == 503 and
          "units taken" in text, (status, text))
    check("and is shown", s.machine("SER3").get("condition") == "waiting")
    token = s.upload(40, 1)[2]["Edeploy-Token"]
    old = s.events(2, head2["Edeploy-Token"], {"kind": "phase",
                                               "phase": "disks"})
    check("a report of a run that is not the open one changes nothing",
          old[0] == 409, old)
    check("a wrong token is refused",
          s.events(40, "0" * 32, {"kind": "done"})[0] == 403)
    r = s.events(40, token, {"kind": "phase", "phase": "disks"},
                 {"kind": "failed", "reason": "no such disk"})
    check("a failure is taken", r[0] == 200 and '"next": 3' in r[1], r)
    m = s.machine("SER1")
    check("failed, with the reason", m.get("condition") == "failed" and
          m.get("reason") == "no such disk", m)
    check("its unit is free for another, which finds no entry",
          s.upload(31, 3)[1].startswith("No more entry in the CMDB"))
    code, text = s.ctl("explain", "SER3")
    check("and is explained so", code == 1 and
          "waits for profile vm; no other one is tried" in text and
          "no entry is free for this machine" in text, (code, text))
    token = s.upload(41, 1)[2]["Edeploy-Token"]
    r = s.events(41, token, {"kind": "done", "action": "reboot"})
    check("its retry is installed", r[0] == 200 and
          s.machine("SER1").get("condition") == "installed", r)
    check("told again, the same answer",
          s.events(41, token, {"kind": "done", "action": "reboot"})[0] == 200)
    local = s.upload(42, 1)
    check("installed: boot_local()", local[1] == "boot_local()\n" and
          "Edeploy-Profile" not in local[2], local)
    boot = s.ask("GET", "/boot.ipxe?serial=SER1&platform=pcbios")[1]
    check("and its boot script is the disk", "exit" in boot and
          "kernel" not in boot, boot)
    s.stop(signal.SIGKILL)
    s.start()
    check("after kill -9 it is installed still",
          s.upload(43, 1)[1] == "boot_local()\n")
    check("reinstall", s.ctl("reinstall", "SER1")[0] == 0)
    check("installs once", "log('two')" in s.upload(44, 1)[1])
    said = s.ctl("release", "two")
    check("release, by the hostname that it then has no more", said[0] == 0,
          said)
    check("frees unit and entry", '"10.0.0.2"' in s.upload(32, 3)[1])
    s.end()


def test_lists(programs):
    s = Server(*programs, "[('vm', '2'), ('old', -1), ('any', '*')]\n",
               "generate({'ip': '10.0.0.1-3', 'net': ('a', [1, {'b': None}]),"
               " 'vlan': 7})\n", [("any.specs", "[('disk',\n")])
    s.upload(1, 1)
    code, text = s.ctl("state")
    check("state: used and total", code == 0 and [
        line.split()[:3] for line in text.splitlines()[:4]] == [
            ["PROFILE", "USED", "TOTAL"], ["vm", "1", "2"],
            ["old", "0", "0"], ["any", "0", "*"]] and "any.specs:" in text,
        text)
    rows = json.loads(s.ctl("state", "--json")[1])
    check("the same for programs",
          [(r["profile"], r["used"], r["total"]) for r in rows] ==
          [("vm", 1, 2), ("old", 0, 0), ("any", 0, "*")] and
          rows[0]["problem"] is None, rows)
    rows = json.loads(s.ctl("state", "--json", "--site", f"{s.dir}/site")[1])
    check("a site's files know the totals",
          [(r["used"], r["total"]) for r in rows] ==
          [(None, 2), (None, 0), (None, "*")], rows)
    code, text = s.ctl("cmdb", "vm")
    lines = text.splitlines()
    check("cmdb: each entry with its machine", code == 0 and
          len(lines) == 4 and lines[0].split()[:5] ==
          ["ENTRY", "MACHINE", "ip", "net", "vlan"] and
          re.match(r"1 +m1 +10\.0\.0\.1 .*52:54:00:00:00:01 +1$", lines[1])
          and re.match(r"2 +- +10\.0\.0\.2 ", lines[2]), text)
    want = [{"ip": f"10.0.0.{n}", "net": ["a", [1, {"b": None}]], "vlan": 7}
            for n in (1, 2, 3)]
    live = json.loads(s.ctl("cmdb", "vm", "--json")[1])
    check("cmdb --json: the entries, a list of objects", live[1:] == want[1:]
          and live[0]["used"] == 1 and live[0]["ip"] == "10.0.0.1", live)
    s.put("vm.cmdb", "generate({'ip': '10.0.0.1-3', 'net': ('a', [1, {'b': "
          "None}]), 'vlan': 7})\n")
    code, text = s.ctl("cmdb", "vm", "--site", f"{s.dir}/site", "--json")
    check("cmdb --site: the file's, expanded", json.loads(text) == want, text)
    code, text = s.ctl("cmdb", "nobody")
    check("a profile that is not there", code == 1 and "nobody" in text, text)
    code, text = s.ctl("cmdb", "old")
    check("a profile without entries", code == 1 and "old.cmdb" in text or
          "no .cmdb" in text, text)
    code, text = s.ctl("cmdb", "old", "--site", f"{s.dir}/site")
    check("the same of files", code == 1 and "old.cmdb" in text, text)
    s.put("vm.cmdb", "generate({'ip': '10.0.0.250-260'})\n")
    code, text = s.ctl("cmdb", "vm", "--site", f"{s.dir}/site")
    check("a wrong file is told with its place", code == 1 and
          "vm.cmdb:1:17: '10.0.0.250-260': a part of an address" in text, text)
    s.end()


def test_explain(programs):
    s = Server(*programs, "[('big', 1), ('vm', 2)]\n",
               "[{'ip': '1', 'mac': '52:54:00:00:ff:ff'}, {'ip': '2'},\n"
               " {'ip': '3'}]\n",
               [("big.specs", "[('disk', '$d', 'size', 'gt(700)')]\n"),
                ("big.configure", "")])
    s.upload(1, 1)
    code, text = s.ctl("explain", "SER1")
    check("explain a machine", code == 0 and "m1 keeps profile vm" in text and
          "it is this machine's already" in text and
          "1 of 2 units used" in text, text)
    facts = f"{s.dir}/facts.json"
    with open(facts, "w") as f:
        json.dump([["disk", "vda", "size", "8"], ["disk", "vdb", "size", "6"],
                   ["network", "eth0", "ipv4", "192.168.122.9"],
                   ["network", "eth0", "serial", "52:54:00:00:00:99"]], f)
    code, text = s.ctl("explain", facts)
    check("explain facts: why not the first profile",
          "2 disks have a size, the largest is 8 (vda)" in text, text)
    check("and which entries were passed over", code == 0 and
          "reserved: its mac is 52:54:00:00:ff:ff" in
          " ".join(text.split()) and "belongs to m1" in text and
          "it is the first free one" in text, text)
    code, text = s.ctl("explain", facts, "--json")
    doc = json.loads(text)
    check("the same for programs", [p["outcome"] for p in doc["profiles"]] ==
          ["misses", "fits"] and doc["profile"] == "vm" and
          doc["profiles"][1]["cmdb"]["passed_over"] == 2, text)
    check("no line is wider than 80 columns",
          max(map(len, s.ctl("explain", facts, "--all")[1].split("\n"))) <= 80)
    check("nobody was assigned by asking",
          len(json.loads(s.ctl("machines", "--json")[1])["machines"]) == 1)
    code, text = s.ctl("explain", "nobody")
    check("an unknown machine is told", code == 1 and "nobody" in text, text)
    s.put("vm.specs", "[('disk',\n")
    time.sleep(1.2)
    code, text = s.ctl("check")
    check("check tells what edeployd does not take", code == 1 and
          "vm.specs" in text, text)
    s.end()


def test_files(programs):
    s = Server(*programs, "[('bad', '*'), ('vm', '*')]\n", None,
               [("bad.specs", "[('disk',\n"), ("bad.configure", "")])
    status, text, _ = s.upload(1, 1)
    check("a wrong profile in front: its machines wait, no later one is "
          "tried", status == 503 and "bad.specs" in text, (status, text))
    s.put("state", "[('vm', '*')]\n")
    time.sleep(0.7)
    check("an edit takes effect", s.upload(2, 1)[0] == 200)
    s.put("state", "[('vm', \n")
    time.sleep(0.7)
    check("a broken edit leaves the last good text in force",
          s.upload(3, 2)[0] == 200)
    status, text, _ = s.upload(4, 3, size=4)
    check("no profile fits: which pattern", status == 422 and
          "gt(4)') (line 1): size of disk vda is 4" in text, (status, text))
    check("nothing to know it by: it waits",
          s.upload(5, 9, ident=False)[0] == 503)
    s.upload(6, 50, more=[["system", "product", "uuid",
                           "4c4c4544-0031-4a10-8052-b7c04f4c5831"]])
    status, text, _ = s.upload(7, 51, more=[[
        "system", "product", "uuid",
        "4c4c4544-0031-4a10-8052-b7c04f4c5831"]])
    check("a clone with another's UUID waits, with the reason",
          status == 503 and "system UUID" in text, (status, text))
    s.end()


def test_crowd(programs):
    entries = ",\n".join(f"{{'ip': '10.1.{i // 250}.{i % 250 + 1}'}}"
                         for i in range(200))
    s = Server(*programs, "[('vm', '*')]\n", f"[{entries}]\n")
    got, lock = [], threading.Lock()

    def some(k):
        for n in range(k, 200, 8):
            status, text, _ = s.upload(1000 + n, 100 + n)
            m = re.search(r'"(10\.1\.\d+\.\d+)"', text)
            with lock:
                got.append(m.group(1) if m else (status, text[:100]))

    threads = [threading.Thread(target=some, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check("200 machines at once: 200 addresses, each once",
          len(got) == 200 and len(set(map(str, got))) == 200 and
          all(isinstance(g, str) for g in got),
          [g for g in got if not isinstance(g, str)][:3])
    s.check_history("200 machines at once")
    s.end()


class Second:
    """Another edeployd on the store and files of `first`."""

    def __init__(self, first):
        conf = f"{first.dir}/conf2"
        with open(f"{first.dir}/conf") as f:
            text = f.read().replace(f"{first.dir}/sock", f"{first.dir}/sock2")
        with open(conf, "w") as f:
            f.write(text)
        self.dir, self.programs = first.dir, first.programs
        self.port = None
        self.first, self.history = first, first.history

    def __enter__(self):
        self.port = free_port()
        self.proc = subprocess.Popen(
            [self.programs[0], "-c", f"{self.dir}/conf2", "--listen",
             f"127.0.0.1:{self.port}"], stderr=subprocess.PIPE, text=True)
        self.read_log()
        return self

    def __exit__(self, *why):
        self.stop()

    stop = Server.stop
    log = Server.log
    read_log = Server.read_log
    ask = Server.ask
    has_sent = Server.has_sent
    upload = Server.upload
    upload_text = Server.upload_text
    events = Server.events


def test_two_processes(programs):
    entries = ",\n".join(f"{{'ip': '10.2.0.{i + 1}'}}" for i in range(90))
    s = Server(*programs, "[('vm', 60)]\n", f"[{entries}]\n")
    got, lock = {}, threading.Lock()
    with Second(s) as second:
        servers = s, second

        def some(k):
            for n in range(k, 80, 8):
                mine = servers[n % 2], servers[(n + 1) % 2]
                status, text, head = mine[0].upload(2000 + n, 300 + n)
                again = mine[1].upload(2000 + n, 300 + n)
                token = head.get("Edeploy-Token")
                told = token and mine[1].events(2000 + n, token, {
                    "kind": "phase", "phase": "disks"})[0]
                m = re.search(r'"(10\.2\.\d+\.\d+)"', text)
                with lock:
                    got[n] = (status, m and m.group(1), again[1] == text or
                              status != 200, told)

        threads = [threading.Thread(target=some, args=(k,)) for k in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assigned = [g[1] for g in got.values() if g[0] == 200]
    check("two processes on one store: 60 units, 60 addresses, each once",
          len(assigned) == 60 and len(set(assigned)) == 60,
          sorted(map(str, got.values()))[:5] + [len(assigned)])
    check("each other waits", sorted({g[0] for g in got.values()}) ==
          [200, 503], {str(g) for g in got.values() if g[0] not in
                       (200, 503)})
    check("the other process answers the same bytes",
          all(g[2] for g in got.values()), got)
    check("and takes the run's reports",
          all(g[3] == 200 for g in got.values() if g[0] == 200),
          [g for g in got.values()][:5])
    for _ in range(150):  # each process merges what the other wrote
        with open(f"{s.dir}/site/vm.cmdb") as f:
            used = re.findall(r"'ip': '(10\.2\.0\.\d+)'[^}]*'used': 1",
                              f.read())
        if len(used) >= len(assigned):
            break
        time.sleep(0.1)
    check("the file says the same", sorted(used) == sorted(assigned),
          (len(used), len(assigned)))
    s.check_history("two processes")
    s.end()


test_life(sys.argv[1:3])
test_lists(sys.argv[1:3])
test_explain(sys.argv[1:3])
test_files(sys.argv[1:3])
test_crowd(sys.argv[1:3])
test_two_processes(sys.argv[1:3])
sys.exit(d.end())
