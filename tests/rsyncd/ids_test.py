#!/usr/bin/env python3
"""ids_test.py SEED_IDS BUILD_ROLE: users of the version before go into a tree
that is being built. Prints TAP."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
from tap import check, end  # noqa: E402

SEED, BUILD = sys.argv[1:]
DIR = tempfile.mkdtemp(prefix="ids_test.")
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
            check(name, code == 1 and want in said, said)
            continue
        check(name, code == 0 and get(f"{new}/etc/passwd") == want
              and get(f"{new}/etc/group") == want_group
              and not os.path.exists(f"{new}/etc/shadow"), said)
    put(f"{DIR}/new/etc/passwd", ROOT)
    put(f"{DIR}/new/etc/shadow", "root:*:1::::::\n")
    put(f"{DIR}/new/etc/gshadow", "root:*::\n")
    os.chmod(f"{DIR}/new/etc/shadow", 0o640)
    seed(f"{DIR}/new")
    shadow = get(f"{DIR}/new/etc/shadow")
    check("nobody can log in",
          [line.split(":")[:2] for line in shadow.splitlines()]
          == [["root", "*"], ["mysql", "!*"], ["_chrony", "!*"]]
          and os.stat(f"{DIR}/new/etc/shadow").st_mode & 0o777 == 0o640, shadow)
    check("groups as well", "_chrony:!::" in get(f"{DIR}/new/etc/gshadow"))
    p = subprocess.run([SEED, f"{DIR}/nothing", f"{DIR}/new"],
                       capture_output=True, text=True)
    check("no version there",
          p.returncode == 1 and "has nobody in it" in p.stderr, p.stderr)
    p = subprocess.run([BUILD, "tiny", "V2", DIR, "--ids-from", "V1"],
                       capture_output=True, text=True)
    check("build-role wants it to be there",
          p.returncode == 1 and "--ids-from names a version" in p.stderr
          and not os.path.exists(f"{DIR}/install/V2"), p.stderr)
finally:
    shutil.rmtree(DIR)
sys.exit(end())
