"""What docs/formats.md says of a decision, as plain lists and loops: identity,
quota, CMDB and runs of one site. It shares no code with the server, knows no
index and no transaction, and is asked one thing after another; what it was
asked last can be taken back, so that another order can be tried
(history.py)."""
import ast
import ipaddress

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


def is_in(net, word):
    try:
        return ipaddress.ip_address(word) in ipaddress.ip_network(net)
    except ValueError:
        return False


def fits(pattern, fact, bound):
    """{variable: value}, or None."""
    found = {}
    for want, word in zip(pattern, fact):
        if want.startswith("$"):
            if bound.get(want, word) != word:
                return None
            found[want] = word
        elif want.startswith("gt("):
            if not word.isdigit() or int(word) <= int(want[3:-1]):
                return None
        elif want.startswith("network("):
            if not is_in(want[8:-1], word):
                return None
        elif want != word:
            return None
    return found


def match(patterns, facts):
    """[(name, value, is it $$, is it an identity)], or None: the profiles
    here have no two rows for one fact, so the first that fits is it."""
    out, bound = [], {}
    for pattern in patterns:
        for fact in facts:
            found = fits(pattern, fact, bound)
            if found is not None:
                break
        else:
            return None
        for name, value in found.items():
            if name in bound:
                continue
            out.append((name.strip("$"), value, name.startswith("$$"),
                        pattern[3] == name and
                        (fact[0], fact[2]) in (("network", "serial"),
                                               ("system", "serial"),
                                               ("system", "uuid"))))
        bound.update(found)
    return out


class Machine:
    def __init__(self):
        self.id = None  # as the server calls it, once that is heard
        self.known, self.values = {}, frozenset()
        self.condition, self.profile, self.entry = "waiting", None, None
        self.run, self.reinstall = None, False


class Run:
    def __init__(self, machine, answer):
        self.machine, self.answer, self.over = machine, answer, False


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
        self.past = []  # what each change took the place of

    def put(self, thing, **words):
        """All changes of anything are made here."""
        for word, value in words.items():
            self.past.append((vars(thing), word, getattr(thing, word)))
            setattr(thing, word, value)

    def mark(self):
        return len(self.past)

    def back(self, mark):
        while len(self.past) > mark:
            where, word, was = self.past.pop()
            where[word] = was

    def looks(self):
        """Equal for two states that nobody can tell apart."""
        return (frozenset((m.values, m.condition, m.profile, m.run,
                           m.run and self.runs[m.run].over, m.reinstall,
                           m.id) for m in self.machines),
                tuple((e.used, e.owner and e.owner.values,
                       *sorted(map(str, e.fields.items())))
                      for some in self.cmdb.values() for e in some))

    # ---- who asks ----

    def who(self, seen):
        """The machine, "new" or "waits"."""
        values = {(k, v) for k, some in seen.items() for v in some}
        like = [m for m in self.machines if not values.isdisjoint(m.values)]
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
        known = dict(m.known)
        for kind, values in seen.items():
            known[kind] = values | (known.get(kind, set()) if kind == "mac"
                                    else set())
        if known != m.known:
            self.put(m, known=known, values=frozenset(
                (k, v) for k, some in known.items() for v in some))

    def called(self, m, name):
        """One name for each machine, and one machine for each name."""
        if m.id is None and not any(o.id == name for o in self.machines):
            self.put(m, id=name)
        return m.id == name

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
        words = {v[0]: v[1] for v in found}
        if profile in self.cmdb:
            e = self.choose_entry(m, profile, found)
            if isinstance(e, str):
                return self.wait(m, e)
            words = {**e.fields, **words, "used": 1}
            self.put(e, owner=m, used=True, fields=words)
            self.put(m, entry=e)
        self.put(m, profile=profile, condition="assigned", reinstall=False)
        return self.answer(m, run, ("script", profile, {
            **words, "edeploy-profile": profile}))

    def answer(self, m, run, what):
        if m.run:
            self.put(self.runs[m.run], over=True)
        self.put(m, run=run)
        self.put(self, runs={**self.runs, run: Run(m, what)})
        return what

    def wait(self, m, why):
        if m.condition not in ("failed", "waiting"):
            self.put(m, condition="waiting")
        return "wait", why

    def upload(self, run, facts, seen=None):
        """("script", profile, variables), ("local",), ("wait", how the reason
        begins), ("nothing fits",) or ("over",)."""
        seen = seen or identity(facts)
        m = self.who(seen)
        if m == "waits":
            return "wait", ""
        r = self.runs.get(run)
        if r and (r.over or r.machine is not m):
            return ("over",)  # and nothing changes
        if m == "new":
            m = Machine()
            self.put(self, machines=[*self.machines, m])
        self.learn(m, seen)
        if r:
            return r.answer
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
        if r.over:
            return False
        self.put(r, over=True)
        if r.answer != ("local",):
            self.put(r.machine, condition="installed" if good else "failed")
        return True

    def release(self, m):
        if m.run:
            self.put(self.runs[m.run], over=True)
        if m.entry:
            self.put(m.entry, owner=None, used=False, fields={
                k: v for k, v in m.entry.origin.items() if k != "used"})
        self.put(m, condition="released", profile=None, entry=None,
                 reinstall=False)

    def reinstall(self, m):
        """False when it is refused."""
        if m.profile:
            self.put(m, reinstall=True)
        return m.profile is not None
