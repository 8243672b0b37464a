#!/usr/bin/env python3
"""accidents_test.py EDEPLOYD EDEPLOYCTL: the rows of docs/formats.md, "What
was an accident with requests": each is done to a real edeployd, over the first
eDeploy's own wire."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../server"))
import decision as d  # noqa: E402
from decision import Server, check  # noqa: E402

CMDB = "[{'ip': '10.0.0.1'}, {'ip': '10.0.0.2'}]\n"


def facts(n, mac=None):
    return json.dumps([
        ["disk", "vda", "size", "8"],
        ["network", "eth0", "ipv4", f"192.168.122.{n}"],
        ["network", "eth0", "serial", mac or f"52:54:00:00:00:{n:02x}"],
        ["system", "product", "serial", f"SER{n}"]])


def post(s, file, **fields):
    """(status, text) of a form as `curl -F file=@hw.json` sends it."""
    mark = "----accident"
    parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n'
             f"{v}\r\n" for k, v in fields.items()]
    parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="file"; '
                 f'filename="hw.json"\r\n\r\n{file}\r\n--{mark}--\r\n')
    status, text, _ = s.ask(
        "POST", "//cgi-bin//upload.py", "".join(parts),
        Content_Type=f"multipart/form-data; boundary={mark}")
    return status, text


def until(s, n, good):
    """What machine n is told, as soon as it is good, for at most 10 s: a site
    is taken when nothing has changed for half a second."""
    for _ in range(50):
        saw = post(s, facts(n))
        if good(saw):
            break
        time.sleep(0.2)
    return saw


def test_uploads(programs):
    s = Server(*programs, "[('vm', 2)]\n", CMDB)
    for what, body, said in (
            ("a dict", '{"data": []}', "list"),
            ("a number as an item", "[1]", "fact 1"),
            ("three words in a fact", '[["a", "b", "c"]]', "fact 1"),
            ("null", '[["a", "b", "c", null]]', "fact 1")):
        saw = post(s, body)
        check(f"{what}: 400 with the place", saw[0] == 400 and said in saw[1],
              saw)
    saw = post(s, "[]")
    check("a machine that says nothing of itself waits", saw[0] == 503 and
          "to know this machine by" in saw[1], saw)
    check("no machine got anything", "installing" not in s.ctl("machines")[1]
          and "assigned" not in s.ctl("machines")[1], s.ctl("machines"))
    for n in (11, 11, 11):
        saw = post(s, facts(n))
        check("the same machine again takes no second unit",
              saw[0] == 200 and "10.0.0.1" in saw[1], saw)
    check("so another one gets the second", post(s, facts(12))[0] == 200)
    saw = post(s, facts(13), section="NOPE")
    check("an unknown section is 404", saw[0] == 404, saw)
    s.end()


def test_failure_of_any(programs):
    s = Server(*programs, "[('any', '*'), ('vm', 2)]\n", CMDB,
               [("any.specs", "[]\n"), ("any.configure", "\n")])
    for n, profile in ((11, "any"), (12, "no-such-profile")):
        saw = post(s, facts(n), failure=profile)
        check(f"a failure report of {profile} is answered with nothing",
              saw == (200, ""), saw)
    check("and gives nothing to anybody", "10.0.0" not in
          open(f"{s.dir}/site/vm.cmdb").read().replace(CMDB[:-1], ""))
    check("no machine has a profile", all(
        not m.get("profile") for m in
        json.loads(s.ctl("machines", "--json")[1])["machines"]),
        s.ctl("machines", "--json")[1])
    s.end()


def test_broken_files(programs):
    s = Server(*programs, "[('bad', 1), ('vm', 2)]\n", CMDB,
               [("bad.specs", "[('a', 'b', 'c', 'd')\n ('x', 'y', 'z', "
                 "'w')]\n"), ("bad.configure", "\n")])
    saw = post(s, facts(11))
    check("a file that is wrong: its profile waits, named with the place",
          saw[0] == 503 and "bad.specs:2" in saw[1], saw)
    s.put("bad.specs", "[('a', 'b', 'c', 'd')]\n")
    saw = until(s, 11, lambda saw: saw[0] == 200)
    check("mended, without a restart", saw[0] == 200, saw)
    os.unlink(f"{s.dir}/site/vm.configure")
    time.sleep(2)
    saw = post(s, facts(12))
    check("a missing script: the machine waits, the file named",
          saw[0] == 503 and "vm.configure: missing" in saw[1], saw)
    s.stop()
    with open(f"{s.dir}/lock", "w") as f:
        f.write("1\n")
    s.put("vm.configure", "log('one')\n")
    os.unlink(f"{s.dir}/site/state")
    s.start()
    saw = post(s, facts(13))
    check("no state file: the last good one is in force, also over a restart",
          saw[0] == 200, saw)
    said = s.ctl("check")
    check("and it is said", said[0] == 1 and "state: missing" in said[1], said)
    s.put("state", "[('vm', 5)]\n")
    s.put("vm.configure", "log('two')\n")
    s.put("vm.cmdb", "[{'ip': '10.0.0.7'}]\n")
    saw = until(s, 14, lambda saw: "10.0.0.7" in saw[1])
    check("back again, and a lock file that was left behind stops nobody",
          saw[0] == 200 and "10.0.0.7" in saw[1], saw)
    s.end()


def test_names(programs):
    s = Server(*programs, "[('vm', 9)]\n", "")
    s.stop()
    hw = f"{s.dir}/hw"
    os.mkdir(hw)
    with open(f"{s.dir}/conf", "a") as f:
        f.write(f"HWDIR={hw}\n")
    s.start()
    for mac in ("/../../x", "x;touch y;true", f"{s.dir}/z"):
        post(s, json.dumps([["network", "eth0", "serial", mac],
                            ["disk", "vda", "size", "8"]]))
    names = os.listdir(hw)
    check("a MAC is never a path: names are letters, digits, _ and -",
          names and all(n[:-3].replace("-", "").replace("_", "").isalnum()
                        and n.endswith(".hw") for n in names), names)
    check("nothing is written elsewhere", sorted(os.listdir(s.dir)) == sorted(
        set(os.listdir(s.dir)) - {"x", "y", "z", "z.hw", "x.hw"}),
        os.listdir(s.dir))
    s.end()


def main():
    programs = sys.argv[1:3]
    for test in (test_uploads, test_failure_of_any, test_broken_files,
                 test_names):
        test(programs)
    return d.end()


sys.exit(main())
