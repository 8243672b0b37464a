#!/usr/bin/env python3
"""check_test.py EDEPLOYCTL: what `edeployctl check` says of a site, row by row:
what is wrong (exit 1), what is hardly meant (exit 0), and what is neither."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
from tap import check, end  # noqa: E402

CTL = os.path.abspath(sys.argv[1])
DISK = "('disk', '$disk', 'size', 'gt(4)')"
VM = {"state": "[('vm', 2)]", "vm.specs": f"[{DISK}]", "vm.configure": "--"}
HP = {"hp.specs": "[('disk', '$d', 'size', 'gt(9)')]", "hp.configure": "--"}
NET = "'netmask': '255.255.255.0', 'gateway': '10.0.0.1'"

# files beside VM's, the exit code, and what must be told, one row each; an
# empty list: nothing
ROWS = [
    ("nothing to say", {}, 0, []),
    ("shadowed", {**HP, "state": "[('vm', '*'),\n ('hp', 3)]"}, 0,
     ["state:2: profile hp gets no machine: whatever fits it fits vm"]),
    ("behind one with a limit", {**HP, "state": "[('vm', 5), ('hp', 3)]"},
     0, []),
    ("closed itself", {**HP, "state": "[('vm', '*'), ('hp', 0)]"}, 0, []),
    ("the narrow one first", {**HP, "state": "[('hp', '*'), ('vm', 3)]"},
     0, []),
    ("more units than entries", {"vm.cmdb": "[{'ip': '10.0.0.3'}]"}, 0,
     ["state:1: profile vm has 2 units, its CMDB 1 entries"]),
    ("as many", {"vm.cmdb": "[{'ip': '10.0.0.3'}, {'ip': '10.0.0.4'}]"}, 0,
     []),
    ("no limit and a CMDB", {"state": "[('vm', '*')]",
                             "vm.cmdb": "[{'ip': '10.0.0.3'}]"}, 0, []),
    ("an address twice", {"vm.cmdb": "[{'ip': '10.0.0.3'},\n"
                                     " {'ip': '10.0.0.3'}]"}, 0,
     ["vm.cmdb:2: ip 10.0.0.3 stands at", "vm.cmdb:1, too"]),
    ("twice in two CMDBs",
     {**HP, "state": "[('hp', 1), ('vm', 1)]",
      "vm.cmdb": "[{'hostname': 'a'}]", "hp.cmdb": "\n[{'hostname': 'a'}]"},
     0, ["hostname a stands at", "hp.cmdb:2, too"]),
    ("a value that many may have",
     {"vm.cmdb": "[{'dns': '10.0.0.1'}, {'dns': '10.0.0.1'}]"}, 0, []),
    ("$$ chooses by it",
     {"vm.specs": f"[{DISK}, ('system', 'rack', 'slot', '$$slot')]",
      "vm.cmdb": "[{'slot': '1'}, {'slot': '1'}]"}, 0,
     ["slot 1 stands at"]),
    ("gateway outside", {"vm.cmdb": f"[{{'ip': '10.0.1.3', {NET}}}, {{}}]"},
     0, ["vm.cmdb:1: its gateway is outside its network"]),
    ("gateway inside", {"vm.cmdb": f"[{{'ip': '10.0.0.3', {NET}}}, {{}}]"},
     0, []),
    ("with bits", {"vm.cmdb": "[{'ip': '10.0.0.3/30', 'gw': '10.0.0.4'}, {}]"},
     0, ["its ip is the broadcast address"]),
    ("point to point",
     {"vm.cmdb": "[{'ip': '10.0.0.3/31', 'gw': '10.0.0.2'}, {}]"}, 0, []),
    ("the network itself", {"vm.cmdb": f"[{{'ip': '10.0.0.0', {NET}}}, {{}}]"},
     0, ["its ip is the address of the network itself"]),
    ("the gateway's own", {"vm.cmdb": f"[{{'ip': '10.0.0.1', {NET}}}, {{}}]"},
     0, ["its ip is that of its gateway"]),
    ("no mask", {"vm.cmdb": "[{'ip': '10.0.0.3', 'netmask': '255.0.255.0'},"
                            " {}]"}, 0, ["its netmask is none"]),
    ("no bits", {"vm.cmdb": "[{'ip': '10.0.0.3/33'}, {}]"}, 0,
     ["no number of bits"]),
    ("of generate()", {"vm.cmdb": "\ngenerate({'ip': '10.0.0.1-2/24',"
                                  " 'gw': '10.0.1.1'})"}, 0,
     ["vm.cmdb:2: its gateway is outside its network"]),
    ("a variable of nobody's", {"vm.configure": "log(var.disk, var.nosuch)"},
     0, ["vm.configure: uses var.nosuch, which no pattern"]),
    ("a variable of some", {"vm.configure": "log(var.ip)",
                            "vm.cmdb": "[{'ip': '10.0.0.3'}, {}]"}, 0,
     ["uses var.ip, which 1 entries of the CMDB do not have"]),
    ("variables of everybody's",
     {"vm.configure": "log(var.disk, var.ip, var.used, var['edeploy-profile'])",
      "vm.cmdb": "[{'ip': '10.0.0.3'}, {'ip': '10.0.0.4'}]"}, 0, []),
    ("no Lua", {"vm.configure": "\nlocal x = \nif"}, 1,
     ["vm.configure:3: unexpected symbol near 'if'"]),
    ("a file that is wrong", {"vm.cmdb": "[{'a': 1},\n {]"}, 1,
     ["vm.cmdb:2:"]),
]


def said_of(files, *words):
    with tempfile.TemporaryDirectory() as site:
        for name, text in {**VM, **files}.items():
            with open(f"{site}/{name}", "w") as f:
                f.write(text + "\n")
        before = sorted(os.listdir(site))
        p = subprocess.run([CTL, "check", "--site", site, *words],
                           capture_output=True, text=True,
                           stdin=subprocess.DEVNULL)
        return p, sorted(os.listdir(site)) == before, site


for name, files, code, told in ROWS:
    p, same, site = said_of(files, "--json")
    messages = [x["message"] for x in json.loads(p.stdout)]
    text = "\n".join(messages)
    check(name,
          p.returncode == code and same and all(t in text for t in told) and
          bool(messages) == bool(told) and
          all(m.startswith(site) for m in messages), p.stdout + p.stderr)
many = ",\n".join("{'ip': '10.0.0.3'}" for _ in range(100))
p, _, _ = said_of({"state": "[('vm', 100)]", "vm.cmdb": f"[{many}]"})
lines = p.stdout.splitlines()
check("hundreds of them are not all told",
      p.returncode == 0 and "79 more values stand twice" in p.stdout and
      len([x for x in lines if x.startswith("warning: ")]) == 21, p.stdout)
sys.exit(end())
