#!/usr/bin/env python3
"""oracle_test.py EDEPLOYD EDEPLOYCTL [--long]: boxes whose boards, NICs and
disks are swapped and cloned ask, fail, succeed, are released and installed
again, in any order, by one client or by eight at once; there is an order in
which the oracle gives the same answers."""
import ast
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import decision as d  # noqa: E402
import history  # noqa: E402
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
        self.run = self.token = self.id = None
        self.lock = threading.Lock()

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
        """What hands do to it; True: with a part of another box."""
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
            return True
        elif what == 5:
            self.uuid = other.uuid
            return True
        elif what == 6:
            self.uuid = None
        elif what == 7:
            self.size = random.choice((2, 8, 500))
        else:
            self.serial = "To Be Filled By O.E.M."
        return False


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
    """A crowd of `clients` that ask for 30 boxes."""

    def __init__(self, programs, clients):
        self.boxes = [Box(k) for k in range(1, 31)]
        cmdb = {name: "[\n" + "".join(f" {e!r},\n" for e in entries) + "]\n"
                for name, entries in make_cmdb(self.boxes).items()}
        state = [("big", 4), ("key", 5), ("vm", 5), ("tag", "*")]
        files = [(f"{name}.specs", repr(rows)) for name, rows in
                 PROFILES.items()]
        files += [(f"{name}.configure", "") for name in PROFILES]
        files += [(f"{name}.cmdb", text) for name, text in cmdb.items()]
        self.server = d.Server(*programs, repr(state), None, files)
        self.model = oracle.Site(PROFILES, state, cmdb)
        self.history = self.server.history
        self.clients, self.wrong = clients, []

    def ask(self, box):
        if not box.run or random.random() < 0.7:
            box.run, box.token = random.getrandbits(127), None
        status, _, head = self.server.upload_text(box.run,
                                                  json.dumps(box.facts()))
        box.token = head["Edeploy-Token"] or box.token
        if status == 200:
            box.id = head["Edeploy-Machine"]

    def report(self, box):
        if not box.token:
            return
        run, good, begin = box.run, random.random() < 0.5, time.monotonic()
        status = self.server.events(
            run, box.token, {"kind": "done"} if good else
            {"kind": "failed", "reason": "broken"})[0]

        def act(site):
            return run in site.runs and (
                not site.end(run, good) or status == 200)
        self.history.other(begin, ("reports", "%x" % run, good, status), act)

    def operate(self, box):
        if not box.id:
            return
        name, word = box.id, random.choice(("release", "reinstall"))
        begin = time.monotonic()
        status = self.server.local("POST", f"/v1/machines/{name}/{word}")[0]

        def act(site):
            (m,) = [m for m in site.machines if m.id == name] or [None]
            return m and (getattr(site, word)(m) is not False) == \
                (status == 200)
        self.history.other(begin, (word, name, status), act)

    def change(self, box):
        """Boxes that have the same parts take turns from then on: what one
        machine may have done in two orders shows much later, if at all."""
        other, was = random.choice(self.boxes), box.lock
        if box.change(other):
            for b in self.boxes:
                b.lock = other.lock if b.lock is was else b.lock

    def step(self):
        """A box does one thing after another; the others do not wait."""
        box, dice = random.choice(self.boxes), random.random()
        with box.lock:
            if dice < 0.06:
                self.change(box)
            elif dice < 0.22:
                self.report(box)
            elif dice < 0.28:
                self.operate(box)
            else:
                self.ask(box)

    def run(self):
        def some():
            for _ in range(STEPS // self.clients):
                self.step()
        d.at_once([some] * self.clients)
        why = history.replay(self.history, self.model)
        if why:
            self.wrong.append(why)
        else:
            self.compare_sums()

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


# Requests of machines a and b to a site of the addresses 1 and 2: (begin, end,
# who, address); is there an order in which they are answered like that?
ORDERS = [
    ([(0, 1, "a", "1"), (2, 3, "b", "2")], True),
    ([(0, 1, "a", "2"), (2, 3, "b", "1")], False),
    ([(0, 3, "a", "2"), (1, 2, "b", "1")], True),
    ([(0, 1, "a", "1"), (0, 1, "b", "1")], False),
    ([(0, history.NEVER, "a", None), (1, 2, "b", "2")], True),
    ([(1, 2, "b", "2"), (3, history.NEVER, "a", None)], False),
    ([(0, 1, "a", "1"), (2, 3, "a", "2")], False),
    ([(0, 9, "a", "1"), (1, 9, "b", None), (2, 3, "a", "2")], False),
]


def test_orders():
    for i, (rows, want) in enumerate(ORDERS):
        h = history.History()
        for run, (begin, end, who, ip) in enumerate(rows):
            facts = json.dumps([["system", "product", "serial", who],
                                ["system", "tag", "name", "t"]])
            script = f'var = {{["ip"] = "{ip}", ["tag"] = "t", ["used"] = 1' \
                     ', ["edeploy-profile"] = "tag"}'
            h.uploads.append(history.Upload(
                begin, end if ip else history.NEVER, run, facts,
                ip and (200, script), None))
        why = history.replay(h, oracle.Site(
            {"tag": PROFILES["tag"]}, [("tag", "*")],
            {"tag": "[{'ip': '1'}, {'ip': '2'}]"}))
        check(f"order {i}: {'there is one' if want else 'there is none'}",
              (why is None) == want, why)


def main():
    test_orders()
    seed = random.randrange(1 << 32)
    if os.environ.get("ORACLE_SEED"):
        seed = int(os.environ["ORACLE_SEED"])
    print(f"# seed {seed} (ORACLE_SEED)")
    random.seed(seed)
    seen, said = set(), []
    for k in range(ROUNDS):
        r = Round(sys.argv[1:3], 8 if k % 2 else 1)
        r.run()
        check(f"round {k + 1}: {STEPS} steps of {r.clients} at once, as the "
              "oracle says", not r.wrong, "\n".join(map(str, r.wrong)))
        seen |= {u.got[0] for u in r.history.uploads}
        said += [u.got[1] for u in r.history.uploads if u.got[0] == "wait"]
        r.server.end()
    check("every kind of answer was among them",
          {"script", "local", "wait", "nothing fits", "over"} <= seen and
          all(any(x.startswith(y) for x in said) for y in
              ("its entry in", "every profile that fits")), sorted(seen))
    return d.end()


if __name__ == "__main__":
    sys.exit(main())
