"""What docs/formats.md says of a decision, as plain lists and loops: identity,
quota, CMDB and runs of one site. It shares no code with the server, knows no
index and no transaction, and is asked in the order of the answers."""
import ast

JUNK = ("", "to be filled by o.e.m.", "none", "0000000000", "ffffffff")
LIVE = ("waiting", "assigned", "installing", "installed")


def words(facts, cls, prop):
    return [(f[1], f[3]) for f in facts if f[0] == cls and f[2] == prop]


def digits(text):
    return "".join(c for c in text if c.isalnum())


def identity(facts):
    """{kind: set of values}, only of kinds that count."""
    usb = {name for name, bus in words(facts, "network", "businfo")
           if bus.startswith("usb")}
    out = {"mac": {mac.lower() for name, mac in
                   words(facts, "network", "serial") if name not in usb}}
    for kind in ("uuid", "serial"):
        said = [v.strip().lower() for n, v in words(facts, "system", kind)]
        out[kind] = {v for v in said[:1] if v not in JUNK}
    repeats = {digits(v) for v in out["uuid"] | out["mac"]}
    out["serial"] = {v for v in out["serial"] if digits(v) not in repeats}
    return {kind: values for kind, values in out.items() if values}


def fits(pattern, fact):
    """{variable: value}, or None."""
    found = {}
    for want, word in zip(pattern, fact):
        if want.startswith("$"):
            found[want] = word
        elif want.startswith("gt("):
            if not word.isdigit() or int(word) <= int(want[3:-1]):
                return None
        elif want != word:
            return None
    return found


def match(patterns, facts):
    """[(name, value, is it $$, is it an identity)], or None: the profiles
    here have no two rows for one fact, so the first that fits is it."""
    out = []
    for pattern in patterns:
        for fact in facts:
            found = fits(pattern, fact)
            if found is not None:
                break
        else:
            return None
        for name, value in found.items():
            out.append((name.strip("$"), value, name.startswith("$$"),
                        pattern[3] == name and
                        (fact[0], fact[2]) in (("network", "serial"),
                                               ("system", "serial"),
                                               ("system", "uuid"))))
    return out


class Machine:
    def __init__(self, known):
        self.known = known
        self.condition, self.profile, self.entry = "waiting", None, None
        self.run, self.reinstall = None, False


class Entry:
    def __init__(self, fields):
        self.origin, self.fields = fields, dict(fields)
        self.owner, self.used = None, "used" in fields

    def holds(self, var):
        return self.fields.get(var[0]) == var[1]


class Site:
    """profiles: {name: patterns}; state: [(name, total or '*')]; cmdb:
    {name: text}."""

    def __init__(self, profiles, state, cmdb):
        self.profiles, self.state = profiles, state
        self.cmdb = {name: [Entry(e) for e in ast.literal_eval(text)]
                     for name, text in cmdb.items()}
        self.machines, self.runs = [], {}

    # ---- who asks ----

    def who(self, seen):
        """The machine, "new" or "waits"."""
        like = [m for m in self.machines
                if any(seen.get(k, set()) & v for k, v in m.known.items())]
        if not seen or len(like) > 1:
            return "waits"
        if not like:
            return "new"
        known = like[0].known
        both = [k for k in seen if k in known]
        agree = [k for k in both if seen[k] & known[k]]
        if len(agree) >= 2 or len(both) == 1:
            return like[0]
        return "waits"

    def learn(self, m, seen):
        for kind, values in seen.items():
            if kind == "mac":
                m.known[kind] = m.known.get(kind, set()) | values
            else:
                m.known[kind] = values

    # ---- what it gets ----

    def used(self, profile):
        return sum(m.profile == profile and m.condition in LIVE
                   for m in self.machines)

    def has_unit(self, profile):
        total = dict(self.state)[profile]
        return total == "*" or self.used(profile) < total

    def choose_entry(self, m, profile, found):
        """The entry, or why there is none."""
        entries = self.cmdb[profile]
        if m.entry in entries:
            return m.entry
        keys = [v for v in found if v[2]]
        for e in entries:
            if found and all(e.holds(v) for v in keys or found):
                if not e.owner:
                    return e
                if keys or any(v[3] and e.holds(v) for v in found):
                    return "its entry in"
        if keys:
            return "No entry matched in the CMDB, aborting."
        for e in entries:
            if not e.used and not e.owner and not any(
                    v[3] and v[0] in e.fields and not e.holds(v)
                    for v in found):
                return e
        return "No more entry in the CMDB, aborting."

    def assign(self, m, run, profile, found):
        ip = None
        if profile in self.cmdb:
            e = self.choose_entry(m, profile, found)
            if isinstance(e, str):
                return self.wait(m, e)
            e.owner, e.used, m.entry = m, True, e
            e.fields.update({v[0]: v[1] for v in found}, used=1)
            ip = e.fields["ip"]
        m.profile, m.condition, m.reinstall = profile, "assigned", False
        return self.answer(m, run, ("script", profile, ip))

    def answer(self, m, run, what):
        if m.run:
            self.runs[m.run]["over"] = True
        m.run = run
        self.runs[run] = {"machine": m, "answer": what, "over": False}
        return what

    def wait(self, m, why):
        if m.condition != "failed":
            m.condition = "waiting"
        return "wait", why

    def upload(self, run, facts):
        """("script", profile, ip), ("local",), ("wait", how the reason
        begins), ("nothing fits",) or ("over",)."""
        seen = identity(facts)
        m = self.who(seen)
        if m == "waits":
            return "wait", ""
        r = self.runs.get(run)
        if r and (r["over"] or r["machine"] is not m):
            return ("over",)  # and nothing changes
        if m == "new":
            m = Machine({})
            self.machines.append(m)
        self.learn(m, seen)
        if r:
            return r["answer"]
        if m.condition == "installed" and not m.reinstall:
            return self.answer(m, run, ("local",))
        found = {name: match(patterns, facts)
                 for name, patterns in self.profiles.items()}
        if m.profile:
            if found[m.profile] is None:
                return self.wait(m, f"profile {m.profile}: no longer fits")
            if m.condition == "failed" and not self.has_unit(m.profile):
                return self.wait(m, f"profile {m.profile}: all its units")
            return self.assign(m, run, m.profile, found[m.profile])
        fitting = [p for p, _ in self.state if found[p] is not None]
        for profile in fitting:
            if self.has_unit(profile):
                return self.assign(m, run, profile, found[profile])
        if fitting:
            return self.wait(m, "every profile that fits")
        self.wait(m, "")
        return ("nothing fits",)

    # ---- what is told of it ----

    def end(self, run, good):
        """A report; False when it changes nothing."""
        r = self.runs[run]
        if r["over"]:
            return False
        r["over"] = True
        if r["answer"] != ("local",):
            r["machine"].condition = "installed" if good else "failed"
        return True

    def release(self, m):
        if m.run:
            self.runs[m.run]["over"] = True
        if m.entry:
            m.entry.owner, m.entry.used = None, False
            m.entry.fields = {k: v for k, v in m.entry.origin.items()
                              if k != "used"}
        m.condition, m.profile, m.entry = "released", None, None
        m.reinstall = False
