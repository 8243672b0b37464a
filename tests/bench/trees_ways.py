"""The ways to bring a tree somewhere, each with what it needs on the server
and the commands of a client. A client has a folder of its own: `base` in it
holds the tree A where the job begins with one, what is asked for comes to the
folder that the way names."""
import os
import shutil
import subprocess

import trees_lab as lab

RSYNC = ["rsync", "-aHAX", "--numeric-ids"]
HTTP = f"http://{lab.SERVER}:8000"
RSYNCD = f"rsync://{lab.SERVER}:8730"


def shell(script, *words):
    return ["sh", "-ec", script, "sh", *words]


class Way:
    """What all have; a job that a way cannot do is None."""

    name = ""
    lost = ()  # what it does not keep, of trees_check.FIELDS
    leaves = ()  # folders at the tree's top that it leaves out
    as_built = False  # published by itself, from the trees as they were built
    slow = False  # once is enough
    shaped = True  # worth a look on a slower cable
    crowd = True  # worth a look with many clients

    def prepare(self, trees, cache):
        """Publish, where the way has a manner of its own."""

    def install(self, folder):
        return None

    def upgrade(self, folder):
        return None

    def nochange(self, folder):
        return None

    def verify(self, folder):
        return None

    def result(self, folder, job):
        """Where the tree is that the job made."""
        return f"{folder}/new" if job == "install" else f"{folder}/base"

    def base(self, folder, tree):
        """Put tree A where `upgrade`, `nochange` and `verify` begin."""
        lab.run("cp", "-a", f"{tree}/.", f"{folder}/base")

    def silent(self, job, text):
        """Whether the job said what it has to say when all is well."""
        return True


class Copy(Way):
    """No network at all: what the disk costs."""

    name, shaped, crowd = "cp -a, local", False, False

    def __init__(self, tree):
        self.tree = tree

    def install(self, folder):
        return ["cp", "-a", f"{self.tree}/.", f"{folder}/new"]


class Read(Way):
    """Every byte once: no verify is quicker."""

    name, shaped, crowd = "cat, local", False, False

    def verify(self, folder):
        return shell('find "$1" -type f -print0 | xargs -0 cat >/dev/null',
                     f"{folder}/base")


class Rsync(Way):
    def __init__(self, name="rsync", *words):
        self.name, self.words = name, words
        self.shaped = "-W" not in words
        self.crowd = not words  # -z: minutes of server CPU

    def pull(self, tree, into, *more):
        return [*RSYNC, *self.words, *more, f"{RSYNCD}/{tree}/", f"{into}/"]

    def install(self, folder):
        return self.pull("A", f"{folder}/new")

    def upgrade(self, folder):
        return self.pull("B", f"{folder}/base", "--delete")

    def nochange(self, folder):
        return None if "-W" in self.words else \
            self.pull("A", f"{folder}/base", "--delete")

    def verify(self, folder):
        return None if self.words else \
            self.pull("A", f"{folder}/base", "--delete", "-n", "-c", "-i")

    def silent(self, job, text):
        return job != "verify" or text == ""


def rsync_daemon(here, trees):
    """Words of a daemon that serves A and B."""
    conf = f"{here}/rsyncd.conf"
    with open(conf, "w") as f:
        f.write("use chroot = yes\nuid = root\ngid = root\nread only = yes\n"
                "numeric ids = yes\nmax connections = 200\n"
                f"pid file = {here}/rsyncd.pid\n"
                + "".join(f"[{n}]\npath = {p}\n" for n, p in trees.items()))
    return ["rsync", "--daemon", "--no-detach", f"--config={conf}",
            f"--address={lab.SERVER}", "--port=8730"]


def nginx(here, places, port=8000):
    """Words of a server of static files: {name in the URL: folder}."""
    conf = f"{here}/nginx-{port}.conf"
    where = "".join(f"location /{name}/ {{ alias {path}/; }}\n"
                    for name, path in places.items())
    with open(conf, "w") as f:
        f.write("user root;\nworker_processes 2;\nerror_log stderr;\n"
                f"pid {here}/nginx-{port}.pid;\n"
                "events { worker_connections 512; }\n"
                f"http {{ access_log off; sendfile on; tcp_nopush on;\n"
                "default_type application/octet-stream;\n"
                f"server {{ listen {lab.SERVER}:{port};\n{where}}} }}\n")
    return ["nginx", "-c", conf, "-e", "stderr", "-g", "daemon off;"]


# ---- others, when they are installed ----

def once(cache, name, make):
    """The folder `name` in the cache, made by `make` whole or not at all."""
    path = f"{cache}/{name}"
    if not os.path.exists(path):
        fresh = f"{cache}/.{name}.{os.getpid()}"
        shutil.rmtree(fresh, ignore_errors=True)
        os.mkdir(fresh)
        make(fresh)
        os.rename(fresh, path)
    return path


class Ostree(Way):
    """Objects in an archive repository. It keeps no times, and refuses device
    nodes."""

    name, lost, slow = "ostree", ("mtime", "hard link"), True
    as_built, shaped, crowd = True, False, False
    leaves = ("dev",)

    def prepare(self, trees, cache):
        def make(fresh):
            lab.run("ostree", f"--repo={fresh}", "init", "--mode=archive")
            skip = f"{fresh}/skip"
            with open(skip, "w") as f:
                f.writelines(f"/{name}\n" for name in self.leaves)
            for name, tree in trees.items():
                lab.run("ostree", f"--repo={fresh}", "commit", "-b", name,
                        f"--tree=dir={tree}", f"--skip-list={skip}")
            lab.run("ostree", f"--repo={fresh}", "summary", "-u")
        self.store = once(cache, "ostree", make)

    PULL = 'ostree --repo="$1"/repo pull bench $2 >/dev/null\n'
    OUT = 'ostree --repo="$1"/repo checkout -H bench:$2 "$1"/$3\n'

    def install(self, folder):
        return shell('ostree --repo="$1"/repo init --mode=bare\nostree '
                     '--repo="$1"/repo remote add --no-gpg-verify bench '
                     f'{HTTP}/ostree\n' + self.PULL + self.OUT,
                     folder, "A", "out")

    def base(self, folder, tree):
        # the server's own repository, without the network
        script = self.install(folder)[2].replace(f"{HTTP}/ostree",
                                                 f"file://{self.store}")
        os.rmdir(f"{folder}/base")
        lab.run(*shell(script, folder, "A", "base"))
        lab.run("ostree", f"--repo={folder}/repo", "config", "set",
                'remote "bench".url', f"{HTTP}/ostree")

    def result(self, folder, job):
        return f"{folder}/base" if job in ("nochange", "verify") \
            else f"{folder}/out"

    def upgrade(self, folder):
        return shell(self.PULL + self.OUT, folder, "B", "out")

    def nochange(self, folder):
        return shell(self.PULL, folder, "A")

    def verify(self, folder):
        return ["ostree", f"--repo={folder}/repo", "fsck", "-q"]


class Casync(Way):
    name, lost, slow = "casync", ("hard link",), True
    as_built, shaped, crowd = True, False, False

    def prepare(self, trees, cache):
        def make(fresh):
            for name, tree in trees.items():
                lab.run("casync", "make", "-v", f"{fresh}/{name}.caidx", tree)
        self.store = once(cache, "casync", make)

    def install(self, folder):
        return ["casync", "extract", f"{HTTP}/casync/A.caidx",
                f"{folder}/new"]

    def upgrade(self, folder):
        return ["casync", "extract", f"--seed={folder}/base",
                f"{HTTP}/casync/B.caidx", f"{folder}/out"]

    def result(self, folder, job):
        return f"{folder}/out" if job == "upgrade" \
            else super().result(folder, job)


def installed(*ways):
    return [w for w in ways if shutil.which(w.name.split()[0])]
