#!/usr/bin/env python3
"""ids_test.py SEED_IDS BUILD_ROLE: users of the version before go into a tree
that is being built. Prints TAP."""
import os
import shutil
import subprocess
import sys
import tempfile

SEED, BUILD = sys.argv[1:]
DIR = tempfile.mkdtemp(prefix="ids_test.")
count = failed = 0
ROOT = "root:x:0:0:root:/root:/bin/bash\n"
MYSQL = "mysql:x:100:102:MySQL:/nonexistent:/bin/false\n"
CHRONY = "_chrony:x:102:109::/var/lib/chrony:/usr/sbin/nologin\n"
GROUPS = "root:x:0:\nmysql:x:102:\n_chrony:x:109:\n"

# passwd and group of the new tree (None: no file), its passwd afterwards or
# what is said, its group
ROWS = [
    ("nothing is there", None, None, ROOT + MYSQL + CHRONY, GROUPS),
    ("some are there", ROOT, "root:x:0:\n", ROOT + MYSQL + CHRONY, GROUPS),
    ("all are there", ROOT + MYSQL + CHRONY, GROUPS, ROOT + MYSQL + CHRONY,
     GROUPS),
    ("others are, too", ROOT + "new:x:999:999::/:\n", "new:x:999:\n",
     ROOT + "new:x:999:999::/:\n" + MYSQL + CHRONY, "new:x:999:\n" + GROUPS),
    ("a number is taken", "other:x:100:0::/:\n", "",
     "100 is other in", None),
    ("a name has another number", "mysql:x:99:0::/:\n", "",
     "mysql is 99 in", None),
    ("a group has", ROOT, "mysql:x:99:\n", "mysql is 99 in", None),
]


def check(good, name, shown=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {count} - {name}", flush=True)
    if not good and shown:
        print("# " + str(shown).replace("\n", "\n# "), flush=True)


def put(path, text):
    if text is not None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)


def get(path):
    with open(path) as f:
        return f.read()


def seed(new):
    p = subprocess.run([SEED, f"{DIR}/old", new], capture_output=True,
                       text=True)
    return p.returncode, p.stderr


try:
    put(f"{DIR}/old/etc/passwd", ROOT + MYSQL + CHRONY)
    put(f"{DIR}/old/etc/group", GROUPS)
    for i, (name, passwd, group, want, want_group) in enumerate(ROWS):
        new = f"{DIR}/new{i}"
        put(f"{new}/etc/passwd", passwd)
        put(f"{new}/etc/group", group)
        code, said = seed(new)
        if want_group is None:
            check(code == 1 and want in said, name, said)
            continue
        check(code == 0 and get(f"{new}/etc/passwd") == want
              and get(f"{new}/etc/group") == want_group
              and not os.path.exists(f"{new}/etc/shadow"), name, said)
    put(f"{DIR}/new/etc/passwd", ROOT)
    put(f"{DIR}/new/etc/shadow", "root:*:1::::::\n")
    put(f"{DIR}/new/etc/gshadow", "root:*::\n")
    os.chmod(f"{DIR}/new/etc/shadow", 0o640)
    seed(f"{DIR}/new")
    shadow = get(f"{DIR}/new/etc/shadow")
    check([line.split(":")[:2] for line in shadow.splitlines()]
          == [["root", "*"], ["mysql", "!*"], ["_chrony", "!*"]]
          and os.stat(f"{DIR}/new/etc/shadow").st_mode & 0o777 == 0o640,
          "nobody can log in", shadow)
    check("_chrony:!::" in get(f"{DIR}/new/etc/gshadow"), "groups as well")
    p = subprocess.run([SEED, f"{DIR}/nothing", f"{DIR}/new"],
                       capture_output=True, text=True)
    check(p.returncode == 1 and "has nobody in it" in p.stderr,
          "no version there", p.stderr)
    p = subprocess.run([BUILD, "tiny", "V2", DIR, "--ids-from", "V1"],
                       capture_output=True, text=True)
    check(p.returncode == 1 and "--ids-from names a version" in p.stderr
          and not os.path.exists(f"{DIR}/install/V2"),
          "build-role wants it to be there", p.stderr)
finally:
    shutil.rmtree(DIR)
print(f"1..{count}")
sys.exit(1 if failed else 0)
