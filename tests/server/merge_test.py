#!/usr/bin/env python3
"""merge_test.py EDEPLOYD EDEPLOYCTL: hand edits merged, against a model that is
written from docs/formats.md ("Written back") and shares no code: after each
edit the file, the store and what is told are what the model says."""
import ast
import json
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import decision as d  # noqa: E402

check = d.check
ENTRY = re.compile(r" (\{.*\}),(?: # (\d+)@(\d+))?( #.*)?$")


class Line:
    """An entry as it stands in a file."""

    def __init__(self, fields, mark=None, comment=""):
        self.fields, self.mark, self.comment = fields, mark, comment

    def __str__(self):
        mark = " # %s@%s" % self.mark if self.mark else ""
        return f" {self.fields!r},{mark}{self.comment}"

    def __eq__(self, other):
        # what was written in between decides the order within an entry
        return (self.fields, self.mark, self.comment) == (
            other.fields, other.mark, other.comment)


def parse(text):
    """What stands before the entries, and they."""
    lines = text.split("\n")
    start = lines.index("[")
    found = [ENTRY.match(line) for line in lines[start + 1:-2]]
    return lines[:start], [Line(ast.literal_eval(m[1]), m[2] and (int(m[2]), int(m[3])),
                       m[4] or "") for m in found]


class Row:
    """An entry as the store has it."""

    def __init__(self, fields, place):
        self.id, self.gen, self.machine = None, 0, None
        self.fields, self.origin, self.place = dict(fields), fields, place


def words(fields):
    """The operator's."""
    return {k: v for k, v in fields.items() if k not in ("mac", "used")}


class Model:
    """One profile. `rows` are those that are not forgotten."""

    def __init__(self, lines):
        self.lines = lines
        self.rows = [Row(line.fields, i) for i, line in enumerate(lines)]
        self.told, self.before = [], ""

    def __str__(self):
        return "".join(f"{r.id}@{r.gen} {r.machine} {r.place} {r.fields} was "
                       f"{r.origin}\n" for r in self.rows)

    # ---- what machines and operators do through the server ----

    def claim(self, machine, mac):
        def free(r):
            return "used" not in r.fields and r.machine is None
        rows = sorted(self.rows, key=lambda r: r.place)
        mine = [r for r in rows if r.machine == machine]
        holds = [r for r in rows if r.fields.get("mac") == mac]
        for r in holds:
            if not mine and r.machine is not None:
                return None
        first = [r for r in rows if free(r) and "mac" not in r.fields]
        row = (mine + holds + first + [None])[0]
        if row is None:
            return None
        now = {**row.fields, "mac": mac, "used": 1}
        if now != row.fields or row.machine != machine:
            row.gen += 1
        row.fields, row.machine = now, machine
        self.write()
        return now["ip"]

    def free(self, row):
        row.fields = {k: v for k, v in row.origin.items() if k != "used"}
        row.machine = None
        row.gen += 1
        if row.place < 0:
            self.rows.remove(row)

    def release(self, machine):
        for row in [r for r in self.rows if r.machine == machine]:
            self.free(row)
        self.write()

    # ---- a file ----

    def write(self):
        """What the server changed, it writes."""
        for row in self.rows:
            if row.place < 0 or row.gen == 0:
                continue
            line = self.lines[row.place]
            if line.mark and line.mark[0] == row.id and \
                    line.mark[1] >= row.gen:
                continue
            order = [k for k in line.fields if k in row.fields]
            order += [k for k in row.fields if k not in order]
            line.fields = {k: row.fields[k] for k in order}
            line.mark = (row.id, row.gen)

    def merge(self, lines):
        self.before = f"{self}and the file\n" + "".join(
            f"{line}\n" for line in lines)
        self.lines, self.told = lines, []
        left = sorted(self.rows, key=lambda r: r.place)
        match = [None] * len(lines)
        seen = set()
        for i, line in enumerate(lines):
            for row in self.rows:
                if not line.mark or row.id != line.mark[0]:
                    continue
                if row in seen:
                    self.told.append("second")
                else:
                    seen.add(row)
                    match[i] = row
                    left.remove(row)
        for i, line in enumerate(lines):
            if match[i]:
                continue
            same = [r for r in left if r.place == i and
                    line.fields in (r.fields, r.origin)]
            same += [r for r in left if r.fields == line.fields]
            same += [r for r in left if r.origin == line.fields]
            if same:
                match[i] = same[0]
                left.remove(same[0])
        for i, line in enumerate(lines):
            if match[i]:
                self.merge_one(match[i], line, i)
            else:
                self.rows.append(Row(dict(line.fields), i))
        for row in left:
            row.place = -1
            if row.machine is None:
                self.rows.remove(row)
            else:
                self.told.append("deleted")
        self.write()

    def merge_one(self, row, line, i):
        row.place = i
        if line.fields == row.fields:
            return
        marked = line.mark and line.mark[0] == row.id
        wins = line.mark[1] == row.gen if marked else row.machine is None
        if not wins:
            late = words(line.fields) == words(row.origin) and (
                "used" in line.fields or "used" not in row.fields)
            if marked and line.fields != row.origin and not late:
                self.told.append("changed")
            return
        if row.machine is None:
            row.fields, row.origin = dict(line.fields), dict(line.fields)
            return
        row.origin = {k: row.origin.get(k) if row.fields.get(k) == v else v
                      for k, v in line.fields.items()
                      if row.fields.get(k) != v or k in row.origin}
        row.fields = dict(line.fields)
        if "used" not in line.fields:
            self.free(row)


def mac_of(k, n):
    return "52:54:00:%02x:%02x:%02x" % (k, n // 256, n % 256)


class Site(d.Server):
    def __init__(self, programs, texts):
        self.runs = 0
        extra = []
        for k, text in enumerate(texts):
            extra += [(f"p{k}.cmdb", text), (f"p{k}.configure", ""),
                      (f"p{k}.specs", f"[('system', 'product', 'name', 'p{k}'),"
                       "\n ('network', 'eth0', 'serial', '$mac')]\n")]
        state = [(f"p{k}", "*") for k in range(len(texts))]
        super().__init__(*programs, f"{state!r}\n", None, extra)

    def read(self, k):
        with open(f"{self.dir}/site/p{k}.cmdb") as f:
            return f.read()

    def claim(self, k, n):
        """The address that machine `n` of profile `k` gets, or None."""
        self.runs += 1
        facts = [["system", "product", "name", f"p{k}"],
                 ["system", "product", "serial", f"S{k}x{n}"],
                 ["network", "eth0", "serial", mac_of(k, n)]]
        status, text, _ = self.ask("POST", "/v1/upload", json.dumps(facts),
                                   Edeploy_Run="%032x" % self.runs)
        m = re.search(r'"ip"\] = "([^"]*)"', text)
        return m[1] if status == 200 and m else None

    def got(self, path):
        return json.loads(self.local("GET", path)[1])

    def rows(self, k):
        return [(e["fields"], e["machine"] is not None)
                for e in self.got(f"/v1/cmdb/p{k}")["entries"]]

    def told(self, k):
        words = {"a second entry": "second", "was deleted": "deleted",
                 "was changed by the server": "changed"}
        return sorted(
            kind for p in self.got("/v1/problems")["problems"]
            if os.path.basename(p["file"]) == f"p{k}.cmdb"
            for text, kind in words.items() if text in p["message"])


def agrees(s, k, m):
    """Nothing, or what differs between the server and the model."""
    found = parse(s.read(k))
    if len(found[1]) != len(m.lines):
        return f"{len(found[1])} entries, not {len(m.lines)}"
    for row in m.rows:  # ids are the store's to give
        mark = found[1][row.place].mark if row.place >= 0 else None
        if row.gen > 0 and row.id is None and mark and \
                all(r.id != mark[0] for r in m.rows):
            row.id = mark[0]
            m.lines[row.place].mark = (row.id, row.gen)
    for has, want in zip(found[1], m.lines):
        if has != want:
            return f"file has{has}\n          not{want}"
    rows = sorted(m.rows, key=lambda r: r.place)
    want = [(r.fields, r.machine is not None) for r in rows]
    if s.rows(k) != want:
        return f"store has {s.rows(k)}\n   not    {want}"
    if s.told(k) != sorted(m.told):
        return f"told {s.told(k)}, not {m.told}"
    return None


def settle(s, models, what):
    """Until all agree, within a time that a busy machine keeps."""
    end = time.time() + 20
    left = {k: "?" for k in range(len(models))}
    while left and time.time() < end:
        left = {k: agrees(s, k, models[k]) for k in left}
        left = {k: why for k, why in left.items() if why}
        if left:
            time.sleep(0.1)
    check(what, not left, "\n".join(
        f"p{k}: {why}\n{s.read(k)}the model was\n{models[k].before}"
        for k, why in list(left.items())[:3]))
    return not left


def save(s, k, lines):
    """As an editor does: a new file renamed over the old one."""
    head = parse(s.read(k))[0]
    path = f"{s.dir}/site/p{k}.cmdb"
    with open(path + ".swp", "w") as f:
        f.write("\n".join([*head, "[", *map(str, lines), "]", ""]))
    os.rename(path + ".swp", path)


# ---- edits ----

def copy(line):
    return Line(dict(line.fields), line.mark, line.comment)


def edit_word(lines, i, rng):
    lines[i].fields["ip"] += "e"


def add_word(lines, i, rng):
    lines[i].fields[f"w{rng.randrange(99)}"] = rng.choice(["x", 7, [1, "y"]])


def drop_used(lines, i, rng):
    lines[i].fields.pop("used", None)


def drop_words(lines, i, rng):
    lines[i].fields = {"ip": lines[i].fields["ip"]}


def set_used(lines, i, rng):
    lines[i].fields["used"] = 1


def delete(lines, i, rng):
    del lines[i]


def add(lines, i, rng):
    lines.insert(i, Line({"ip": f"n{rng.randrange(10 ** 6)}"}, None, " # new"))


def move(lines, i, rng):
    lines.insert(rng.randrange(len(lines)), lines.pop(i))


def drop_mark(lines, i, rng):
    lines[i].mark = None


def duplicate(lines, i, rng):
    lines.insert(rng.randrange(len(lines) + 1), copy(lines[i]))


def duplicate_bare(lines, i, rng):
    again = copy(lines[i])
    again.mark = None
    lines.insert(rng.randrange(len(lines) + 1), again)


def copy_in_front(lines, i, rng):
    lines.insert(0, Line(dict(lines[i].fields)))


def turn(lines, i, rng):
    lines[i].fields = dict(reversed(lines[i].fields.items()))


def comment(lines, i, rng):
    lines[i].comment = " # said"


EDITS = (edit_word, add_word, drop_used, drop_words, set_used, delete, add,
         move, drop_mark, duplicate, duplicate_bare, turn, comment)

# ---- one meaning at a time ----
#
# A file of three entries; machines that claim before the operator opens it;
# the edit, of entry `i`; what the server does before it is saved; what is told
# of it; and edits after it, one by one. The model says what must come of them.

ROWS = [
    # claimed  edit            i  meanwhile     told
    (1, (edit_word,), 0, "", []),
    (1, (edit_word,), 1, "", []),
    (1, (edit_word,), 0, "release 0", ["changed"]),
    (1, (edit_word,), 1, "claim", ["deleted"]),  # it had no mark
    (0, (edit_word,), 0, "claim", ["deleted"]),
    (1, (drop_used,), 0, "release 0", []),
    (1, (drop_used,), 0, "", []),
    (1, (drop_words,), 0, "", []),
    (2, (drop_used,), 0, "release 0", []),
    (1, (delete,), 0, "", ["deleted"]),
    (1, (delete,), 1, "", []),
    (1, (delete,), 0, "release 0", []),
    (2, (delete, drop_used), 0, "", ["deleted"]),
    (1, (drop_mark,), 0, "", []),
    (1, (drop_mark, edit_word), 0, "", ["deleted"]),
    (1, (duplicate,), 0, "", ["second"]),
    (1, (duplicate_bare,), 0, "", []),
    (1, (move,), 0, "", []),
    (1, (move,), 0, "claim", []),
    (0, (add,), 0, "claim", []),
    (3, (add,), 3, "claim", []),
    (1, (set_used,), 1, "", []),
    (1, (comment,), 0, "release 0", []),
    (1, (add_word,), 0, "release 0", ["changed"]),
    (1, (drop_used,), 0, "hand over", ["changed"]),
    (1, (drop_words, drop_mark), 0, "hand over", []),
    (2, (edit_word, add_word), 1, "", []),
    (1, (turn, drop_mark), 0, "", []),
    (1, (turn,), 0, "", []),
    (1, (copy_in_front,), 0, "", [], (delete, 1), (comment, 0)),
    (1, (copy_in_front,), 0, "", [], (delete, 0), (edit_word, 0)),
]


def first_text(k):
    lines = [Line({"ip": f"{k}.{i}"}, None, f" # c{i}") for i in range(3)]
    return "# mine\n[\n" + "".join(f"{x}\n" for x in lines) + "]\n"


def open_site(programs, n):
    texts = [first_text(k) for k in range(n)]
    s = Site(programs, texts)
    return s, [Model(parse(t)[1]) for t in texts]


def claim(s, models, k, n):
    got, want = s.claim(k, n), models[k].claim(n, mac_of(k, n))
    if got != want:
        check(f"p{k}: machine {n} gets {want}", False, got)


def release(s, models, k, n):
    s.ctl("release", f"S{k}x{n}")
    models[k].release(n)


def save_all(s, models, edited, what):
    for k, lines in edited.items():
        save(s, k, lines)
        models[k].merge(lines)
    return settle(s, models, what)


def first_edit(m, k, row):
    lines = [copy(x) for x in m.lines]
    for edit in row[1]:
        edit(lines, min(row[2], len(lines) - 1), random.Random(k))
    return lines


def meanwhile(s, models, k, what):
    if what in ("release 0", "hand over"):
        release(s, models, k, 0)
    if what in ("claim", "hand over"):
        claim(s, models, k, 7)


def test_rows(programs):
    s, models = open_site(programs, len(ROWS))
    for k, row in enumerate(ROWS):
        for n in range(row[0]):
            claim(s, models, k, n)
    settle(s, models, "claims are written")
    edited = {k: first_edit(models[k], k, row) for k, row in enumerate(ROWS)}
    for k, row in enumerate(ROWS):
        meanwhile(s, models, k, row[3])
    settle(s, models, "what happens meanwhile is written")
    save_all(s, models, edited, f"{len(ROWS)} edits are merged")
    for k, row in enumerate(ROWS):
        check(f"row {k}: what is told", models[k].told == row[4],
              models[k].told)
    for step in range(max(map(len, ROWS)) - 5):
        edited = {}
        for k, row in enumerate(ROWS):
            if len(row) > 5 + step:
                edit, i = row[5 + step]
                edited[k] = [copy(x) for x in models[k].lines]
                edit(edited[k], i, None)
        save_all(s, models, edited, f"{len(edited)} further edits")
    s.stop()
    s.start()
    for m in models:
        m.merge(m.lines)  # what stands in the files is all that is told now
    settle(s, models, "and stay so after a restart")
    for k in range(len(ROWS)):
        claim(s, models, k, 0)
        claim(s, models, k, 8)
    settle(s, models, "machines ask again")
    s.end()


def random_edits(lines, rng):
    lines = [copy(x) for x in lines]
    for _ in range(rng.choice((1, 1, 2, 3))):
        if not lines:
            add(lines, 0, rng)
        rng.choice(EDITS)(lines, rng.randrange(len(lines)), rng)
    return lines


def happen(s, models, k, rng, asked):
    """Something that machines or an operator do through the server."""
    if asked[k] and rng.random() < 0.3:
        release(s, models, k, rng.choice(sorted(asked[k])))
    else:
        n = rng.randrange(6)
        asked[k].add(n)
        claim(s, models, k, n)


def test_random(programs, profiles, rounds, seed):
    rng = random.Random(seed)
    s, models = open_site(programs, profiles)
    asked = [set() for _ in models]
    good = True
    for r in range(rounds):
        for k in range(profiles):
            for _ in range(rng.randrange(3)):
                happen(s, models, k, rng, asked)
        good = good and settle(s, models, f"round {r}: claims")
        edited = {k: random_edits(m.lines, rng)
                  for k, m in enumerate(models)}
        for k in range(profiles):
            if rng.random() < 0.5:
                happen(s, models, k, rng, asked)
        good = good and settle(s, models, f"round {r}: meanwhile")
        good = good and save_all(s, models, edited, f"round {r}: edits")
        if not good:
            break
    s.end()


if __name__ == "__main__":
    long = len(sys.argv) > 3
    test_rows(sys.argv[1:3])
    test_random(sys.argv[1:3], 24, 60 if long else 5,
                int(sys.argv[3]) if long else 7)
    sys.exit(d.end())
