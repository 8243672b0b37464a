/* Where a disk is plugged in, under the name that udev's path_id builtin
 * (systemd 252) gives it: from the disk up through the devices that carry it,
 * each that has a place of its own puts a word in front. A disk on a bus that
 * this does not know gets no name, as with udev: a name that may not be
 * unique is worse than none. tests/e2e/40_names.py compares both. */
#include <stdio.h>

#include "agent/hwid.h"
#include "agent/sysfs.h"
#include "lib/file.h"

struct walk {
	const char *root;
	char *at;               /* the device looked at, a path below root */
	char *path;             /* what is known so far, or NULL */
	bool parent, transport; /* both are wanted for a name */
};

struct scsi_place {
	unsigned host, bus, target;
	unsigned long long lun;
};

/* Put `word` in front; takes it. */
static void
put(struct walk *w, char *word)
{
	char *longer = w->path ? base_printf("%s-%s", word, w->path)
			       : base_strdup(word);

	free(w->path);
	free(word);
	w->path = longer;
}

static const char *
last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Go to the directory above; false at the top. */
static bool
go_up(char *at)
{
	char *slash = strrchr(at, '/');

	if (!slash || slash == at)
		return false;
	*slash = '\0';
	return true;
}

static char *
subsystem(const struct walk *w)
{
	return sys_link_name(w->root, "%s/subsystem", w->at);
}

/* Go up as long as the device above is on the same bus. */
static void
skip_bus(struct walk *w, const char *bus)
{
	for (;;) {
		AUTO_FREE char *above = base_strdup(w->at);
		AUTO_FREE char *on = NULL;

		if (!go_up(above))
			return;
		on = sys_link_name(w->root, "%s/subsystem", above);
		if (!str_eq(on, bus))
			return;
		free(w->at);
		w->at = STEAL(above);
	}
}

/* Cut `at` behind the last component that starts with `head` and a digit;
 * false when there is none, and `at` is as it was. */
static bool
climb_to(char *at, const char *head)
{
	AUTO_FREE char *try = base_strdup(at);

	do {
		const char *name = last_name(try);

		if (str_starts(name, head) &&
		    strspn(name + strlen(head), "0123456789") > 0) {
			at[strlen(try)] = '\0';
			return true;
		}
	} while (go_up(try));
	return false;
}

static char *
above_named(const struct walk *w, const char *head)
{
	char *at = base_strdup(w->at);

	if (climb_to(at, head))
		return at;
	free(at);
	return NULL;
}

/* Numbers above 255 in the form of the target's address, as udev prints. */
static char *
lun_text(unsigned long long lun)
{
	if (lun < 256)
		return base_printf("lun-%llu", lun);
	return base_printf("lun-0x%04llx%04llx00000000", lun & 0xffff,
			   lun >> 16 & 0xffff);
}

static char *
place_fc(const struct walk *w, const struct scsi_place *p)
{
	AUTO_FREE char *port = above_named(w, "rport-");
	AUTO_FREE char *lun = lun_text(p->lun);
	AUTO_FREE char *name = NULL;

	if (!port)
		return NULL;
	name = sys_line(w->root, "/sys/class/fc_remote_ports/%s/port_name",
			last_name(port));
	return name ? base_printf("fc-%s-%s", name, lun) : NULL;
}

/* A disk on a phy of its own has the phy's place; one on a wide port is known
 * by its address. */
static char *
place_sas(const struct walk *w, const struct scsi_place *p)
{
	AUTO_FREE char *end = above_named(w, "end_device-");
	AUTO_FREE char *port = above_named(w, "port-");
	AUTO_FREE char *lun = lun_text(p->lun);
	AUTO_FREE char *phys = NULL, *phy = NULL, *address = NULL;
	const char *class = "/sys/class/sas_device";

	if (!end || !port)
		return NULL;
	phys = sys_line(w->root, "/sys/class/sas_port/%s/num_phys",
			last_name(port));
	if (phys && !str_eq(phys, "1")) {
		address = sys_line(w->root, "%s/%s/sas_address", class,
				   last_name(end));
		return address ? base_printf("sas-%s-%s", address, lun) : NULL;
	}
	phy = sys_line(w->root, "%s/%s/phy_identifier", class, last_name(end));
	if (!phys || !phy || !go_up(port))
		return NULL;
	address =
		sys_line(w->root, "%s/%s/sas_address", class, last_name(port));
	if (address)
		return base_printf("sas-exp%s-phy%s-%s", address, phy, lun);
	return base_printf("sas-phy%s-%s", phy, lun);
}

/* Behind a port multiplier the bus counts; else 0 and 1 are master and
 * slave. */
static char *
place_ata(const struct walk *w, const struct scsi_place *p)
{
	AUTO_FREE char *port = above_named(w, "ata");
	AUTO_FREE char *number = NULL;

	if (!port)
		return NULL;
	number = sys_line(w->root, "/sys/class/ata_port/%s/port_no",
			  last_name(port));
	if (!number)
		return NULL;
	if (p->bus != 0)
		return base_printf("ata-%s.%u.0", number, p->bus);
	return base_printf("ata-%s.%u", number, p->target);
}

/* Host numbers grow with each rescan, so they count from the lowest of the
 * hosts on the same controller. `host` is the path of hostN. */
static char *
place_scsi(const struct walk *w, const char *host, const struct scsi_place *p)
{
	AUTO_FREE char *card = base_strdup(host);
	unsigned lowest = p->host, n;
	char **names;
	size_t i;

	go_up(card);
	names = sys_names(w->root, "%s", card);
	for (i = 0; names[i]; i++)
		if (sscanf(names[i], "host%u", &n) == 1 && n < lowest)
			lowest = n;
	names_free(names);
	return base_printf("scsi-%u:%u:%u:%llu", p->host - lowest, p->bus,
			   p->target, p->lun);
}

/* A SCSI device: one word for all between it and the host adapter. False
 * when its transport does not tell a place. */
static bool
step_scsi(struct walk *w)
{
	AUTO_FREE char *host = above_named(w, "host");
	struct scsi_place p;
	char *word;

	if (!host || sscanf(last_name(w->at), "%u:%u:%u:%llu", &p.host, &p.bus,
			    &p.target, &p.lun) != 4)
		return false;
	if (strstr(w->at, "/rport-"))
		word = place_fc(w, &p);
	else if (strstr(w->at, "/end_device-"))
		word = place_sas(w, &p);
	else if (strstr(w->at, "/session"))
		return false; /* iSCSI: the place is a network address */
	else if (strstr(w->at, "/ata"))
		word = place_ata(w, &p);
	else
		word = place_scsi(w, host, &p);
	if (!word)
		return false;
	put(w, word);
	free(w->at);
	w->at = STEAL(host);
	w->transport = true;
	return true;
}

static void
step_usb(struct walk *w)
{
	const char *dash = strchr(last_name(w->at), '-');

	if (!dash)
		return;
	put(w, base_printf("usb-0:%s", dash + 1));
	skip_bus(w, "usb");
	w->transport = true;
}

/* The namespace of an NVMe disk. One that has several paths hangs below no
 * controller; udev goes on from the controller with the disk's number. */
static void
step_nvme(struct walk *w)
{
	AUTO_FREE char *nsid = sys_line(w->root, "%s/nsid", w->at);
	unsigned number;
	char *real;

	if (!nsid)
		return;
	put(w, base_printf("nvme-%s", nsid));
	w->transport = true;
	if (!strstr(w->at, "/nvme-subsystem/") ||
	    sscanf(last_name(w->at), "nvme%u", &number) != 1)
		return;
	real = sys_real(w->root, "/sys/class/nvme/nvme%u", number);
	if (real) {
		free(w->at);
		w->at = real;
	}
}

/* Look at one device. False ends the walk without a name. */
static bool
step(struct walk *w)
{
	AUTO_FREE char *bus = subsystem(w);

	if (!bus)
		return true;
	if (str_eq(bus, "block")) {
		step_nvme(w);
	} else if (str_eq(bus, "scsi")) {
		return step_scsi(w);
	} else if (str_eq(bus, "usb")) {
		step_usb(w);
	} else if (str_eq(bus, "virtio")) {
		w->transport = true;
	} else if (str_eq(bus, "pci") || str_eq(bus, "platform")) {
		put(w, base_printf("%s-%s", bus, last_name(w->at)));
		w->parent = true;
		w->transport |= str_eq(bus, "platform");
		skip_bus(w, bus);
	}
	return true;
}

char *
hwid_by_path(const char *root, const char *name)
{
	struct walk w = { .root = root,
			  .at = sys_real(root, "/sys/block/%s", name) };
	bool known = w.at != NULL;

	while (known && !str_eq(w.at, "/sys/devices")) {
		known = step(&w);
		if (!go_up(w.at))
			break;
	}
	free(w.at);
	if (known && w.parent && w.transport)
		return w.path;
	free(w.path);
	return NULL;
}
