#!/usr/bin/env python3
"""oracle_test.py EDEPLOYD EDEPLOYCTL [--long]: boxes whose boards, NICs and
disks are swapped and cloned ask, fail, succeed, are released and installed
again, in any order; each answer is the one that the oracle gives."""
import ast
import json
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import decision as d  # noqa: E402
import oracle  # noqa: E402

check = d.check
ROUNDS, STEPS = (200, 500) if "--long" in sys.argv else (6, 400)
NIC = ("network", "$eth", "serial")
PROFILES = {
    "big": [("disk", "$disk", "size", "gt(100)"), (*NIC, "$mac")],
    "key": [("system", "product", "name", "keyed"), (*NIC, "$$mac")],
    "vm": [("disk", "$disk", "size", "gt(4)"), (*NIC, "$mac")],
    "tag": [("system", "tag", "name", "$tag")],
}


STICK = "02:00:00:00:00:01"


def mac(k):
    return "52:54:00:00:%02x:%02x" % (k >> 8, k & 255)


class Box:
    def __init__(self, k):
        self.uuid = f"4c4c4544-0031-4a10-8052-b7c0{k:08x}"
        self.serial = random.choice([f"SER{k}", f"SER{k}", "None",
                                     mac(k).replace(":", "")])
        self.nics = [mac(k), mac(k + 256)][:random.choice((1, 2))]
        self.size = random.choice((2, 8, 8, 500))
        self.name = random.choice(("kvm", "kvm", "keyed"))
        self.tag = random.random() < 0.1
        self.usb = random.choice((None, None, None, "last", "first"))
        self.run = self.token = None

    def facts(self):
        f = [["system", "product", "name", self.name],
             ["disk", "vda", "size", str(self.size)]]
        f += [["system", "product", kind, value] for kind, value in
              (("uuid", self.uuid), ("serial", self.serial)) if value]
        f += [["network", f"eth{i}", "serial", m]
              for i, m in enumerate(self.nics)]
        if self.usb:  # a stick: in several boxes, and nobody's identity
            stick = [["network", "usb0", "serial", STICK],
                     ["network", "usb0", "businfo", "usb@1:1"]]
            f = stick + f if self.usb == "first" else f + stick
        if self.tag:
            f.append(["system", "tag", "name", f"t{self.size}"])
        return f

    def change(self, other):
        """What hands do to it, with a part of another box."""
        what = random.randrange(9)
        if what == 0:
            self.nics = self.nics[::-1]
        elif what == 1:
            self.nics = [mac(random.randrange(2000, 60000))]
        elif what == 2:
            self.uuid = f"4c4c4544-0031-4a10-8052-{random.randrange(1 << 48):012x}"
        elif what == 3:
            self.serial = f"SER{random.randrange(10000, 99999)}"
        elif what == 4:
            self.nics = self.nics[:1] + other.nics[-1:]
        elif what == 5:
            self.uuid = other.uuid
        elif what == 6:
            self.uuid = None
        elif what == 7:
            self.size = random.choice((2, 8, 500))
        else:
            self.serial = "To Be Filled By O.E.M."


def make_cmdb(boxes):
    """Free, prefilled for one box, whole as a claim leaves it, and used."""
    def some(n, more):
        return [{"ip": f"10.{len(more)}.0.{i}", **random.choice(more)()}
                for i in range(n)]

    def of_box():
        return {"mac": random.choice(random.choice(boxes).nics)}

    def whole():
        return {"disk": "vda", "eth": "eth0", **of_box()}
    return {
        "big": some(8, [dict, dict, of_box, whole]),
        "key": [{"ip": "10.9.0.1", "mac": STICK},
                *some(14, [of_box, of_box, dict])],
        "vm": some(12, [dict, dict, of_box, whole,
                        lambda: {**whole(), "used": 1}]),
    }


class Round:
    def __init__(self, programs):
        self.boxes = [Box(k) for k in range(1, 31)]
        cmdb = {name: "[\n" + "".join(f" {e!r},\n" for e in entries) + "]\n"
                for name, entries in make_cmdb(self.boxes).items()}
        state = [("big", 4), ("key", 5), ("vm", 8), ("tag", "*")]
        files = [(f"{name}.specs", repr(rows)) for name, rows in
                 PROFILES.items()]
        files += [(f"{name}.configure", "") for name in PROFILES]
        files += [(f"{name}.cmdb", text) for name, text in cmdb.items()]
        self.server = d.Server(*programs, repr(state), None, files)
        self.model = oracle.Site(PROFILES, state, cmdb)
        self.ids, self.wrong, self.seen, self.log = {}, [], {}, []

    def ask(self, box):
        if not box.run or random.random() < 0.7:
            box.run, box.token = random.getrandbits(127), None
        facts = box.facts()
        want = self.model.upload(box.run, facts)
        status, text, head = self.server.ask(
            "POST", "/v1/upload", json.dumps(facts),
            Edeploy_Run="%032x" % box.run)
        box.token = head["Edeploy-Token"] or box.token
        ip = re.search(r'\["ip"\] = "([^"]+)"', text)
        got = {200: ("local",) if text == "boot_local()\n" else
               ("script", head["Edeploy-Profile"], ip and ip.group(1)),
               503: ("wait", text), 422: ("nothing fits",),
               409: ("over",)}.get(status, (status, text))
        good = (got[0] == want[0] == "wait" and text.startswith(want[1])) or \
            got == want
        self.note("asks", facts, want, got)
        self.seen[want[:2]] = True
        if not good:
            self.wrong.append((want, got))
        if status == 200 and box.run in self.model.runs:
            m = self.model.runs[box.run]["machine"]
            if self.ids.setdefault(head["Edeploy-Machine"], m) is not m:
                self.wrong.append("one id for two machines")

    def report(self, box):
        if not box.token or box.run not in self.model.runs:
            return
        good = random.random() < 0.5
        want = self.model.end(box.run, good)
        status = self.server.events(
            box.run, box.token, {"kind": "done"} if good else
            {"kind": "failed", "reason": "broken"})[0]
        self.note("reports", good, want, status)
        if want and status != 200:
            self.wrong.append(("report", status))

    def operate(self):
        if not self.ids:
            return
        name, m = random.choice(sorted(self.ids.items()))
        word = random.choice(("release", "reinstall"))
        code = self.server.ctl(word, name)[0]
        if word == "release":
            self.model.release(m)
        elif m.profile:
            m.reinstall = True
        self.note(word, name, code)

    def note(self, *words):
        self.log.append(words)

    def step(self):
        box = random.choice(self.boxes)
        dice = random.random()
        if dice < 0.06:
            box.change(random.choice(self.boxes))
        elif dice < 0.22:
            self.report(box)
        elif dice < 0.28:
            self.operate()
        else:
            self.ask(box)

    def compare_sums(self):
        doc = json.loads(self.server.ctl("state", "--json")[1])
        used = {row["profile"]: row["used"] for row in doc}
        want = {p: self.model.used(p) for p in PROFILES}
        if used != want:
            self.wrong.append((used, want))
        for name, entries in self.model.cmdb.items():
            want = [(e.fields["ip"], e.used) for e in entries]
            end = time.time() + 8
            while time.time() < end and self.file(name) != want:
                time.sleep(0.1)
            if self.file(name) != want:
                self.wrong.append((name, self.file(name), want))

    def file(self, name):
        with open(f"{self.server.dir}/site/{name}.cmdb") as f:
            return [(e["ip"], "used" in e) for e in ast.literal_eval(f.read())]


def main():
    seed = random.randrange(1 << 32)
    if os.environ.get("ORACLE_SEED"):
        seed = int(os.environ["ORACLE_SEED"])
    print(f"# seed {seed} (ORACLE_SEED)")
    random.seed(seed)
    seen = {}
    for k in range(ROUNDS):
        r = Round(sys.argv[1:3])
        for _ in range(STEPS):
            r.step()
            if r.wrong:
                break
        else:
            r.compare_sums()
        check(f"round {k + 1}: {len(r.log)} steps as the oracle says",
              not r.wrong, (r.wrong, r.log[-1], r.log[-12:]))
        seen.update(r.seen)
        r.server.end()
    check("every kind of answer was among them",
          {"script", "local", "wait", "nothing fits", "over"} <=
          {s[0] for s in seen} and ("wait", "its entry in") in seen and
          ("wait", "every profile that fits") in seen, sorted(map(str, seen)))
    print(f"1..{d.count}")
    return 1 if d.failed else 0


if __name__ == "__main__":
    sys.exit(main())
