#!/usr/bin/env python3
"""cmdb_test.py EDEPLOYD EDEPLOYCTL: entries that are chosen by $$ keys, entries
with all that a literal can hold, and a site of the first eDeploy taken over."""
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import decision as d  # noqa: E402
from decision import Server, check  # noqa: E402

KEYED = ("[('disk', '$disk', 'size', 'gt(4)'),\n"
         " ('system', 'product', 'serial', '$$serial')]\n")


def read(s, name="vm.cmdb"):
    with open(f"{s.dir}/site/{name}") as f:
        return f.read()


def ip_of(text):
    m = re.search(r'"ip"\] = "([^"]+)"', text)
    return m and m[1]


def until(what, seconds=8):
    end = time.time() + seconds
    while not what() and time.time() < end:
        time.sleep(0.05)
    return what()


def test_keys(programs):
    s = Server(*programs, "[('vm', '*'), ('rest', '*')]\n",
               "[\n {'serial': 'SER7', 'ip': '10.0.0.7'},\n"
               " {'ip': '10.0.0.1'},\n"
               " {'serial': 'SER8', 'ip': '10.0.0.8', 'disk': 'sda'},\n]\n",
               [("vm.specs", KEYED), ("rest.configure", ""),
                ("rest.specs", "[('disk', '$d', 'size', '$s')]\n")])
    status, text, _ = s.upload(1, 8)
    check("$$serial chooses the entry, not the first one",
          status == 200 and ip_of(text) == "10.0.0.8", text)
    check("the machine's words win over those of the entry",
          '["disk"] = "vda"' in text, text)
    status, text, _ = s.upload(2, 9)
    check("no entry holds the key: it waits, free ones there or not, and no "
          "later profile is tried", status == 503 and
          "No entry matched in the CMDB, aborting." in text, text)
    code, text = s.ctl("explain", "SER9")
    check("explain says so", code == 1 and
          "no entry holds its $$ variables" in " ".join(text.split()) and
          "its serial is SER7, not SER9" in " ".join(text.split()), text)
    check("another run, the same entry", ip_of(s.upload(3, 8)[1]) ==
          "10.0.0.8")
    check("written back", until(lambda: re.search(
        r"\n \{'serial': 'SER8', 'ip': '10.0.0.8', 'disk': 'vda', 'used': 1\},"
        r" # \d+@1\n", read(s))), read(s))
    s.put("vm.cmdb", read(s).replace("{'ip': '10.0.0.1'}",
                                     "{'ip': '10.0.0.1', 'serial': 'SER9'}"))
    check("the entry that it waits for comes by hand", until(
        lambda: s.upload(int(time.time() * 1000), 9)[0] == 200), read(s))
    s.end()


NESTED = """[
  # all that a literal can hold
  {'ip': '1', 'disks': ({'size_gb': 50, 'raid': '1+0'}, {'size_gb': 600.5}),
   "dns" : [ '10.0.0.1' , '10.0.0.2' ], # two
   'none': None, 'yes': True, 'n': -3, 'one': ('x',), 'deep': [[({},)]],
   'text': 'it\\'s "\\u00e9"\\t' 'joined'},
]
"""


def test_nested(programs):
    s = Server(*programs, "[('vm', 1)]\n", NESTED)
    status, text, _ = s.upload(1, 1)
    check("a nested entry reaches the script", status == 200 and all(
        x in text for x in ('["disks"] = {{["size_gb"] = 50, ["raid"] = "1+0"}'
                            ', {["size_gb"] = 600.5}}',
                            '["dns"] = {"10.0.0.1", "10.0.0.2"}',
                            '["yes"] = true', '["one"] = {"x"}',
                            '["deep"] = {{{{}}}}')), text)
    check("and is the operator's byte for byte, claimed", until(
        lambda: "@1" in read(s)) and re.sub(
            r",\n   'disk': 'vda',\n   'eth': 'eth0',\n   'mac': '[0-9a-f:]+',"
            r"\n   'used': 1\}, # 1@1\n", "},\n",
            read(s).split("\n", 1)[1]) == NESTED, read(s))
    s.ctl("release", "SER1")
    check("and released", until(lambda: "@2" in read(s)) and
          read(s).split("\n", 1)[1].replace(" # 1@2", "") == NESTED, read(s))
    check("the listing has it whole",
          json.loads(s.ctl("cmdb", "vm", "--json")[1])[0]["disks"] ==
          [{"size_gb": 50, "raid": "1+0"}, {"size_gb": 600.5}])
    s.end()


# As its pprint() left them.
OLD_STATE = "[('hp', 0), ('vm', '1'), ('all', '*'), ('none', -2), ('vm', 1)]\n"
OLD_CMDB = """[{'disk': 'vda',
  'eth': 'eth0',
  'ip': '10.0.0.1',
  'mac': '52:54:00:00:00:01',
  'used': 1},
 {'disk': 'vda',
  'eth': 'eth0',
  'ip': '10.0.0.2',
  'mac': '52:54:00:00:00:02',
  'used': 1},
 {'ip': '10.0.0.3'},
 {'ip': '10.0.0.4'}]
"""


def test_adopt(programs):
    s = Server(*programs, OLD_STATE, OLD_CMDB,
               [("all.specs", "[('disk', '$d', 'size', 'lt(2)')]\n"),
                ("all.configure", "")])
    site = f"{s.dir}/site"
    s.stop()
    code, text = s.ctl("adopt", "--site", site)
    new = "[('hp', 0),\n ('vm', 4),\n ('all', '*'),\n ('none', 0)]\n"
    check("adopt: total = left + used, each profile once",
          code == 0 and text.startswith(new), text)
    check("what it is made of", "vm: 2 left and 2 used\n" in text and
          "all: no limit, 0 used\n" in text and "hp: 0 left and 0 used; no "
          ".cmdb file" in text, text)
    rows = json.loads(s.ctl("adopt", "--site", site, "--json")[1])
    check("the same for programs", [
        (r["profile"], r["left"], r["used"], r["total"]) for r in rows] ==
          [("hp", 0, 0, 0), ("vm", 2, 2, 4), ("all", "*", 0, "*"),
           ("none", 0, 0, 0)] and "no .cmdb" in rows[0]["remark"], rows)
    check("nothing was written", read(s, "state") == OLD_STATE and
          read(s) == OLD_CMDB)
    s.put("state", new)
    s.start()
    check("an old machine has its old entry",
          ip_of(s.upload(1, 2)[1]) == "10.0.0.2")
    check("a new one has a free one", ip_of(s.upload(2, 7)[1]) == "10.0.0.3")
    check("what the first one wrote stays as it stands", until(
        lambda: "'10.0.0.3'" in read(s) and "@1" in read(s)) and
        OLD_CMDB.split(",\n {")[0] + ",\n" in read(s), read(s))
    code, text = s.ctl("adopt", "--site", site)
    check("a second time is refused", code == 1 and
          "vm.cmdb:1: edeployd wrote this file already" in text, text)
    s.put("vm.cmdb", read(s).replace("[{", "[{{", 1))
    code, text = s.ctl("adopt", "--site", site)
    check("a wrong file is told with its place", code == 1 and
          re.search(r"vm\.cmdb:\d+:\d+: ", text), text)
    s.end()


test_keys(sys.argv[1:3])
test_nested(sys.argv[1:3])
test_adopt(sys.argv[1:3])
sys.exit(d.end())
