#!/usr/bin/env python3
"""edit_test.py EDEPLOYD EDEPLOYCTL: an operator edits a .cmdb file while the
server gives its entries away: no edit is lost silently, no entry given twice,
and file and store agree when it is quiet again."""
import os
import random
import re
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import decision as d  # noqa: E402

check = d.check


def read(s):
    with open(f"{s.dir}/site/vm.cmdb") as f:
        return f.read()


def until(what, seconds=8):
    """True once `what()` is, within a deadline that a busy machine keeps."""
    end = time.time() + seconds
    while time.time() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def in_place(s, text):
    with open(f"{s.dir}/site/vm.cmdb", "w") as f:
        f.write(text)


def by_rename(s, text):
    path = f"{s.dir}/site/vm.cmdb"
    with open(path + ".swp", "w") as f:
        f.write(text)
    os.rename(path + ".swp", path)


def slowly(s, text):
    with open(f"{s.dir}/site/vm.cmdb", "w") as f:
        for i in range(0, len(text), max(1, len(text) // 6)):
            f.write(text[i:i + max(1, len(text) // 6)])
            f.flush()
            time.sleep(0.1)


def with_backup(s, text):
    path = f"{s.dir}/site/vm.cmdb"
    os.rename(path, path + "~")
    with open(path, "w") as f:
        f.write(text)


WAYS = (in_place, by_rename, slowly, with_backup)


def ip_of(text):
    m = re.search(r'"ip"\] = "([^"]+)"', text)
    return m and m.group(1)


def test_rows(programs):
    """What an edit means, one at a time."""
    s = d.Server(*programs, "[('vm', '*')]\n", "[\n {'ip': '1'},\n {'ip': '2'}"
                 ",\n {'ip': '3'}, # spare\n]\n")
    check("claimed in order", ip_of(s.upload(1, 1)[1]) == "1" and
          ip_of(s.upload(2, 2)[1]) == "2")
    check("both are written back", until(lambda: "# 2@1" in read(s)), read(s))
    text = read(s)
    in_place(s, text.replace("'ip': '1'", "'ip': '1a'"))
    check("an edit of a claimed entry wins",
          until(lambda: ip_of(s.upload(random.getrandbits(60), 1)[1]) == "1a"),
          read(s))
    in_place(s, read(s).replace("[\n", "[\n {'ip': '0'}, # first now\n", 1))
    check("an entry added in front is the next",
          until(lambda: s.upload(3, 3) and ip_of(s.upload(3, 3)[1]) == "0") or
          ip_of(s.upload(3, 3)[1]) in ("0", "3"), s.upload(3, 3)[1])
    check("comments stay", until(lambda: "# first now" in read(s)) and
          "# spare" in read(s), read(s))
    text = re.sub(r" \{'ip': '2'.*\n", "", read(s))
    in_place(s, text)
    check("a claimed entry that is deleted stays with its machine",
          until(lambda: "was deleted" in s.log()) and
          ip_of(s.upload(4, 2)[1]) == "2", s.log()[-500:])
    check("release", s.ctl("release", "SER2")[0] == 0)
    got = [ip_of(s.upload(100 + n, 100 + n)[1]) for n in range(3)]
    check("after its release nobody gets it", "2" not in got, got)
    time.sleep(1)
    text = read(s)
    m = re.search(r"\{'ip': '1a'[^}]*\}", text)
    in_place(s, text.replace(m.group(0), "{'ip': '1a'}"))
    check("removing `used` frees the entry",
          until(lambda: ip_of(s.upload(random.getrandbits(60), 120)[1]) ==
                "1a"), read(s))
    bad = read(s).replace("{'ip'", "{'ip", 1)
    in_place(s, bad)
    check("a broken file is told and left alone",
          until(lambda: s.upload(200, 1) and "vm.cmdb:" in s.log()) and
          read(s) == bad, s.log()[-300:])
    s.put("state", "[('vm', \n")
    s.put("vm.specs", "[\n")
    s.stop()
    s.start()
    local = s.upload(300, 120)
    check("a start with broken files: the last good texts are in force",
          local[0] == 200 and "EDEPLOY_PROFILE = vm" in local[1], local)
    code, text = s.ctl("check")
    check("and each broken file is told", code == 1 and
          all(f"/{n}:" in text for n in ("state", "vm.specs", "vm.cmdb")),
          text)
    s.end()


def test_backup(programs):
    """A store that is older than the file must not give entries again."""
    s = d.Server(*programs, "[('vm', '*')]\n",
                 "[{'ip': '1'},\n{'ip': '2'},\n{'ip': '3'}]\n")
    s.upload(1, 1)
    until(lambda: "@1" in read(s))
    s.stop()
    os.system(f"cp -r {s.dir}/store {s.dir}/backup")
    s.start()
    s.upload(2, 2)
    until(lambda: "# 2@1" in read(s))
    s.stop()
    os.system(f"rm -r {s.dir}/store; cp -r {s.dir}/backup {s.dir}/store")
    s.start()
    status, text, _ = s.upload(3, 3)
    check("a restored backup: machines wait, with the reason",
          status == 503 and "older than the file" in text, (status, text))
    in_place(s, "\n".join(read(s).split("\n")[1:]))
    check("line 1 deleted: the file's used entries are held",
          until(lambda: ip_of(s.upload(random.getrandbits(60), 3)[1]) == "3"),
          read(s))
    s.stop()
    os.system(f"rm -r {s.dir}/store")
    head = read(s).split("\n")[0]
    s.start()
    check("a lost store: the file names the new one at once",
          until(lambda: read(s).split("\n")[0] != head), read(s))
    in_place(s, read(s).replace("[", "[ # mine\n", 1))
    time.sleep(1)
    status, text, _ = s.upload(4, 9)
    check("a lost store: used entries are held, none is given again",
          status == 503 and "No more entry" in text, (status, text))
    check("and go to the machine whose words they hold",
          ip_of(s.upload(5, 2)[1]) == "2", read(s))
    check("which is written back", until(lambda: "# 2@1" in read(s)), read(s))
    s.stop()
    s.start()
    status, text, _ = s.upload(6, 1)
    check("and stay so: marks of the lost store are gone from the file",
          status == 200 and ip_of(text) == "1", (status, text, read(s)))
    s.end()


def test_foreign(programs):
    """A file with the marks of another store, taken over by a new one."""
    s = d.Server(*programs, "[('vm', '*')]\n", "# edeploy fedcba9876543210\n"
                 "[\n {'ip': '1'}, # 1@5 top\n {'ip': '2'}, # 2@7\n]\n")
    check("its entries are given", ip_of(s.upload(1, 1)[1]) == "1")
    check("its marks are replaced, or go", until(lambda: re.match(
        r"# edeploy (?!fedc)[0-9a-f]{16}\n\[\n \{'ip': '1'.*\}, # 1@1 top\n"
        r" \{'ip': '2'\},\n\]\n$", read(s))), read(s))
    s.stop()
    s.start()
    check("and both are known again", ip_of(s.upload(2, 1)[1]) == "1" and
          ip_of(s.upload(3, 2)[1]) == "2")
    s.end()


def test_model(programs):
    """generate() becomes its entries at the first claim, and is kept."""
    model = ("# all of them\ngenerate({\n    'ip': '10.0.0.1-9',  # nine\n"
             "    'hostname': 'kvm01-03',\n    'net': ('a', [1, {'b': 2.0}]),"
             "\n})\n")
    s = d.Server(*programs, "[('vm', '*')]\n", model)
    path = f"{s.dir}/site/vm.cmdb"
    code, out = s.ctl("check")
    check("check says which key ran short", code == 0 and
          "vm.cmdb:2:10: 3 entries: 'hostname' has no more values, 'ip' has 9"
          in out, out)
    check("nothing is written before a claim", read(s) == model and
          not os.path.exists(path + ".orig"))
    s.stop()
    os.chmod(path, 0o600)
    s.start()
    got = s.upload(1, 1)[1]
    check("the first of them is given", ip_of(got) == "10.0.0.1" and
          '"kvm01"' in got, got)
    want = [re.escape(line) for line in (
        "    {'ip': '10.0.0.2', 'hostname': 'kvm02', "
        "'net': ('a', [1, {'b': 2.0}])},",
        "    {'ip': '10.0.0.3', 'hostname': 'kvm03', "
        "'net': ('a', [1, {'b': 2.0}])},", "]", "")]
    check("its entries stand in its place", until(lambda: re.fullmatch(
        r"# edeploy [0-9a-f]{16}\n# all of them\n\[\n"
        r"    \{'ip': '10.0.0.1', 'hostname': 'kvm01', 'net': \('a', \[1, "
        r"\{'b': 2.0\}\]\), .*'used': 1\}, # 1@1\n" + "\n".join(want),
        read(s))), read(s))
    with open(path + ".orig") as f:
        check("the model is kept as it was", f.read() == model)
    check("and is read by nobody else",
          os.stat(path + ".orig").st_mode & 0o777 == 0o600)
    in_place(s, model.replace("01-03", "01-04"))
    check("a longer model put back: claims stay, the new ones are there",
          until(lambda: "kvm04" in read(s) and "# 1@1" in read(s)) and
          [ip_of(s.upload(n, n)[1]) for n in (2, 3, 4)] ==
          ["10.0.0.2", "10.0.0.3", "10.0.0.4"] and
          ip_of(s.upload(10, 1)[1]) == "10.0.0.1", read(s))
    s.end()


def test_crowd(programs):
    """An editor that saves in every way while machines come and go."""
    entries = "".join(f" {{'ip': 'e{i}'}}, # c{i}\n" for i in range(120))
    s = d.Server(*programs, "[('vm', '*')]\n", f"[\n{entries}]\n")
    seen, stop, lock = {}, threading.Event(), threading.Lock()
    random.seed(7)

    def machines():
        for n in range(60):
            status, text, _ = s.upload(1000 + n, 500 + n)
            with lock:
                seen[n] = (status, ip_of(text))
            if n % 9 == 5:
                s.ctl("release", f"SER{500 + n}")
                with lock:
                    seen.pop(n)
            time.sleep(0.05)
        stop.set()

    t = threading.Thread(target=machines)
    t.start()
    added = []
    while not stop.is_set():
        text = read(s)
        if text.endswith("]\n"):  # whole: no half of ours is ever seen
            name = f"x{len(added)}"
            WAYS[len(added) % 4](s, text[:-2] + f" {{'ip': '{name}'}},\n]\n")
            added.append(name)
        else:
            check("the file is whole whenever it is read", False, text[-80:])
        time.sleep(0.9)
    t.join()
    owners = [ip for status, ip in seen.values() if status == 200]
    check(f"{len(seen)} machines, {len(added)} edits: nobody shares an entry",
          len(owners) == len(seen) and len(set(owners)) == len(owners),
          [x for x in seen.values() if x[0] != 200][:3])
    marked = lambda: set(re.findall(
        r"'ip': '(\w+)'[^}\n]*'used': 1", read(s))) == set(owners)
    check("the file comes to say what the store says", until(marked, 15),
          (set(owners) ^ set(re.findall(
              r"'ip': '(\w+)'[^}\n]*'used': 1", read(s)))))
    lost = [n for n in added if f"'ip': '{n}'" not in read(s)]
    check("each edit is in the file", not lost, (lost, s.log()[-600:]))
    check("comments are where they were", all(
        re.search(rf"'ip': 'e{i}'.*# c{i}$", read(s), re.M)
        for i in range(120)), read(s)[:400])
    s.end()


test_rows(sys.argv[1:3])
test_backup(sys.argv[1:3])
test_foreign(sys.argv[1:3])
test_model(sys.argv[1:3])
test_crowd(sys.argv[1:3])
sys.exit(d.end())
