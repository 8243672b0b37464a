/* libpci's fence. Its habit is to end the process when it cannot read the
 * bus: here that is a note, by a jump out of its error hook. So everything
 * that reads is done by scan(), in the frame that is jumped to and while we
 * own nothing; what comes later only looks at what was read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <pci/pci.h>

#include "agent/probe.h"
#include "agent/sysfs.h"
#include "lib/base.h"

struct bus {
	struct pci_access *access;
	char *sysfs; /* libpci keeps the pointer */
	char said[160];
};

static jmp_buf out_of_libpci;
static struct bus *bus_in_use;

static void __attribute__((noreturn, format(printf, 1, 2)))
fatal(char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(bus_in_use->said, sizeof(bus_in_use->said), fmt, ap);
	va_end(ap);
	longjmp(out_of_libpci, 1);
}

static void __attribute__((format(printf, 1, 2))) silent(char *fmt, ...)
{
	(void)fmt;
}

static void
bus_close(struct bus *b)
{
	if (b->access)
		pci_cleanup(b->access);
	free(b->sysfs);
}

static void
bus_prepare(struct bus *b, const char *root)
{
	char key[] = "sysfs.path";

	b->sysfs = base_printf("%s/sys/bus/pci", root);
	b->access = pci_alloc();
	b->access->error = fatal;
	b->access->warning = silent;
	b->access->debug = silent;
	b->access->method = PCI_ACCESS_SYS_BUS_PCI;
	pci_set_param(b->access, key, b->sysfs);
	/* Takes the text, and frees it in pci_cleanup. */
	pci_set_name_list_path(
		b->access, base_printf("%s/usr/share/misc/pci.ids", root), 1);
	bus_in_use = b;
}

static void
scan(struct pci_access *a)
{
	struct pci_dev *d;

	pci_init(a);
	pci_scan_bus(a);
	for (d = a->devices; d; d = d->next)
		pci_fill_info(d, PCI_FILL_IDENT | PCI_FILL_CLASS);
	pci_load_name_list(a);
}

/* False, and b->said, when libpci gave up. */
static bool
bus_scan(struct bus *b)
{
	if (setjmp(out_of_libpci) != 0)
		return false;
	scan(b->access);
	return true;
}

/* A name of the list, else the number as text: never "Device 1234". */
static char *
look_up(struct bus *b, int what, unsigned first, unsigned second)
{
	char name[256];
	const char *found = pci_lookup_name(b->access, name, sizeof(name),
					    what | PCI_LOOKUP_NO_NUMBERS,
					    (int)first, (int)second);

	if (found && *found)
		return base_strdup(found);
	return base_printf("%04x", what == PCI_LOOKUP_DEVICE ? second : first);
}

static void
device_address(const struct pci_dev *d, char out[24])
{
	snprintf(out, 24, "%04x:%02x:%02x.%d", (unsigned)d->domain, d->bus,
		 d->dev, d->func);
}

static void
device_names(struct bus *b, struct pci_dev *d, char **vendor, char **product)
{
	*vendor = look_up(b, PCI_LOOKUP_VENDOR, d->vendor_id, 0);
	*product = look_up(b, PCI_LOOKUP_DEVICE, d->vendor_id, d->device_id);
}

static void
add_device(const char *root, struct bus *b, struct pci_dev *d,
	   struct facts *out)
{
	char address[24];
	char *vendor, *product;

	device_address(d, address);
	device_names(b, d, &vendor, &product);
	fact_take(out, "pci", address, "class",
		  look_up(b, PCI_LOOKUP_CLASS, d->device_class, 0));
	fact_take(out, "pci", address, "vendor", vendor);
	fact_take(out, "pci", address, "product", product);
	facts_addf(out, "pci", address, "id", "%04x:%04x", d->vendor_id,
		   d->device_id);
	fact_take(
		out, "pci", address, "driver",
		sys_link_name(root, "/sys/bus/pci/devices/%s/driver", address));
}

static int
by_place(const void *a, const void *b)
{
	struct pci_dev *const *x = a;
	struct pci_dev *const *y = b;
	char left[24], right[24];

	device_address(*x, left);
	device_address(*y, right);
	return natural_cmp(left, right);
}

static void
add_devices(const char *root, struct bus *b, struct facts *out)
{
	AUTO_FREE struct pci_dev **list = NULL;
	struct pci_dev *d;
	size_t len = 0, i;

	for (d = b->access->devices; d; d = d->next)
		len++;
	list = base_array(len + 1, sizeof(*list));
	for (d = b->access->devices, i = 0; d; d = d->next)
		list[i++] = d;
	qsort(list, len, sizeof(*list), by_place);
	for (i = 0; i < len; i++)
		add_device(root, b, list[i], out);
}

int
probe_pci(const char *root, struct facts *out, struct err *e)
{
	struct bus b = { 0 };
	int rc = 0;

	if (!sys_exists(root, "/sys/bus/pci/devices"))
		return 0; /* a machine without PCI has no facts of it */
	bus_prepare(&b, root);
	if (bus_scan(&b))
		add_devices(root, &b, out);
	else
		rc = err_set(e, ERR_SYS, "libpci: %s", b.said);
	bus_close(&b);
	return rc;
}

void
pci_names(const char *root, const char *address, char **vendor, char **product)
{
	struct bus b = { 0 };
	struct pci_dev *d;
	char place[24];

	*vendor = *product = NULL;
	if (!sys_exists(root, "/sys/bus/pci/devices/%s", address))
		return;
	bus_prepare(&b, root);
	for (d = bus_scan(&b) ? b.access->devices : NULL; d; d = d->next) {
		device_address(d, place);
		if (str_eq(place, address)) {
			device_names(&b, d, vendor, product);
			break;
		}
	}
	bus_close(&b);
}
