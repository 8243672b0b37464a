"""What we promise of the transport, and what we would like: each is a figure
of one way over that of another in the same table, so that the machine that
measures matters little. BLAKE2b, which is what Debian packages, sets the floor
of the installs on a fast cable: every byte is hashed."""

# What is promised, case, figure, ways that are compared (the first by the
# second; "-": the figure itself), "<" or ">", the floor, what more work could
# reach.
OURS = "edeploy"
FLOORS = (
    ("install, fast link", "install-tmpfs-free-1", "wall_s", "rsync", OURS,
     ">", 1.25, 2.5),
    ("no slower than cp -a", "install-tmpfs-free-1", "wall_s", "cp -a, local",
     OURS, ">", 1, 1.2),
    ("install, ext4 to its disk", "install-ext4-free-1", "wall_s", "rsync",
     OURS, ">", 1.15, 1.7),
    ("install, 1 Gb/s", "install-tmpfs-1g-1", "wall_s", "rsync", OURS, ">",
     3.3, 4),
    ("install, 1 Gb/s, 8 clients", "install-tmpfs-1g-8", "wall_s", "rsync",
     OURS, ">", 3.3, 4),
    ("install, bytes", "install-tmpfs-free-1", "wire_mb", OURS, "rsync", "<",
     0.30, 0.25),
    ("install, server CPU", "install-tmpfs-free-1", "server_cpu_s", OURS,
     "rsync", "<", 1 / 20, 1 / 100),
    # where the client, on the same processors, is less in the server's way
    ("install, server CPU, 1 Gb/s", "install-tmpfs-1g-1", "server_cpu_s", OURS,
     "rsync", "<", 1 / 20, 1 / 100),
    ("install, client's memory, MB", "install-tmpfs-free-1", "peak_mb", OURS,
     "-", "<", 96, 64),
    ("publish A, CPU s", "publish", "client_cpu_s", "A published", "-", "<",
     20, 10),
    ("publish A and B, CPU s", "publish", "client_cpu_s", "both published",
     "-", "<", 25, 20),
    ("upgrade, fast link", "upgrade-tmpfs-free-1", "wall_s", "rsync", OURS,
     ">", 3, 4),
    ("upgrade, 1 Gb/s", "upgrade-tmpfs-1g-1", "wall_s", "rsync", OURS, ">",
     3.5, 5),
    ("upgrade, 100 Mb/s", "upgrade-tmpfs-100m-1", "wall_s", "rsync", OURS, ">",
     4.5, 7),
    ("upgrade, bytes", "upgrade-tmpfs-free-1", "wire_mb", OURS, "rsync", "<",
     0.20, 0.12),
    ("upgrade, bytes by rsync -z", "upgrade-tmpfs-free-1", "wire_mb", OURS,
     "rsync -z", "<", 0.55, 0.32),
    ("upgrade, server CPU", "upgrade-tmpfs-free-1", "server_cpu_s", OURS,
     "rsync", "<", 1 / 100, 1 / 300),
    ("upgrade, server CPU, 1 Gb/s", "upgrade-tmpfs-1g-1", "server_cpu_s", OURS,
     "rsync", "<", 1 / 100, 1 / 300),
    ("nothing new", "nochange-tmpfs-free-1", "wall_s", "rsync", OURS, ">", 8,
     20),
    ("nothing new, server's CPU, s", "nochange-tmpfs-free-1", "server_cpu_s",
     OURS, "-", "<", 0.001, 0.001),
    ("nothing new, MB", "nochange-tmpfs-free-1", "wire_mb", OURS, "-", "<",
     0.001, 0.001),
    ("verify, by reading alone", "verify-tmpfs-free-1", "wall_s", OURS,
     "cat, local", "<", 1.3, 1),
)


def seen(rows, case, figure, first, second):
    """The figure, or None where a way was not measured."""
    table = rows.get(case, {})
    if first not in table or second not in (*table, "-"):
        return None
    value = table[first][figure]
    if second == "-":
        return value
    return value / table[second][figure] if table[second][figure] else None


def show(rows):
    """Print each aim with what was measured; the same as a list."""
    found = []
    if not rows:
        return found
    print(f"\n== floors\n{'':<32}{'floor':>9}{'seen':>9}{'could be':>10}")
    for what, case, figure, first, second, side, floor, moon in FLOORS:
        value = seen(rows, case, figure, first, second)
        met = None if value is None else \
            value >= floor if side == ">" else value <= floor
        word = {None: "not measured", True: "met", False: "MISSED"}[met]
        found.append({"what": what, "case": case, "floor": floor,
                      "seen": value, "could_be": moon, "met": met})
        print(f"{what:<32}{side}{floor:8.3g}"
              + (f"{value:9.4g}" if value is not None else " " * 9)
              + f"{moon:10.3g}  {word}")
    return found
