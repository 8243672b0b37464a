/* Who the machine is: firmware tables, with the kernel's short copies in
 * /sys/class/dmi/id where the table is missing or not ours to read. */
#include <ctype.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "agent/probe.h"
#include "agent/probe_dmi.h"
#include "agent/sysfs.h"
#include "lib/base.h"

static const struct {
	const char *cls, *name, *property;
	enum dmi_word word;
	const char *file; /* in /sys/class/dmi/id */
} words[] = {
	{ "system", "product", "serial", DMI_SYSTEM_SERIAL, "product_serial" },
	{ "system", "product", "name", DMI_SYSTEM_NAME, "product_name" },
	{ "system", "product", "vendor", DMI_SYSTEM_VENDOR, "sys_vendor" },
	{ "system", "product", "version", DMI_SYSTEM_VERSION,
	  "product_version" },
	{ "system", "product", "uuid", DMI_SYSTEM_UUID, "product_uuid" },
	{ "system", "motherboard", "name", DMI_BOARD_NAME, "board_name" },
	{ "system", "motherboard", "vendor", DMI_BOARD_VENDOR, "board_vendor" },
	{ "system", "motherboard", "version", DMI_BOARD_VERSION,
	  "board_version" },
	{ "system", "motherboard", "serial", DMI_BOARD_SERIAL, "board_serial" },
	{ "firmware", "bios", "version", DMI_BIOS_VERSION, "bios_version" },
	{ "firmware", "bios", "date", DMI_BIOS_DATE, "bios_date" },
	{ "firmware", "bios", "vendor", DMI_BIOS_VENDOR, "bios_vendor" },
};

static char *
dmi_word(const char *root, const struct dmi *d, enum dmi_word w,
	 const char *file)
{
	if (d && d->word[w])
		return base_strdup(d->word[w]);
	return sys_line(root, "/sys/class/dmi/id/%s", file);
}

/* "ProLiant DL360p Gen8 (654081-B21)": profiles of the first eDeploy were
 * written with the SKU behind the name, as lshw prints it. */
static char *
with_sku(const char *root, const struct dmi *d, char *name)
{
	AUTO_FREE char *sku = dmi_word(root, d, DMI_SYSTEM_SKU, "product_sku");
	char *both;

	if (!name || !sku || str_eq(sku, "Not Specified"))
		return name;
	both = base_printf("%s (%s)", name, sku);
	free(name);
	return both;
}

/* Two serials that firmware makers forgot to fill in count as none: the UUID
 * stands for them, else the board's. Never a MAC: that may be a card's. */
static char *
true_serial(const char *root, const struct dmi *d, char *serial)
{
	char *other;

	if (!str_eq(serial, "0123456789") && !str_eq(serial, "0000000000"))
		return serial;
	free(serial);
	other = dmi_word(root, d, DMI_SYSTEM_UUID, "product_uuid");
	return other ? other
		     : dmi_word(root, d, DMI_BOARD_SERIAL, "board_serial");
}

static void
add_firmware_words(const char *root, struct facts *out)
{
	AUTO(dmi) d = dmi_read(root);
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++) {
		char *value = dmi_word(root, d, words[i].word, words[i].file);

		if (words[i].word == DMI_SYSTEM_NAME)
			value = with_sku(root, d, value);
		if (words[i].word == DMI_SYSTEM_SERIAL)
			value = true_serial(root, d, value);
		fact_take(out, words[i].cls, words[i].name, words[i].property,
			  value);
	}
}

/* Value of KEY= in os-release, quotes removed; NULL when absent. */
static char *
os_word(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (; text; text = strchr(text, '\n'), text += text ? 1 : 0) {
		const char *at = text + len + 1;
		size_t n;

		if (strncmp(text, key, len) != 0 || text[len] != '=')
			continue;
		n = strcspn(at, "\n");
		if (n >= 2 && (*at == '"' || *at == '\'') && at[n - 1] == *at)
			at++, n -= 2;
		return base_strndup(at, n);
	}
	return NULL;
}

static void
add_os(const char *root, struct facts *out)
{
	AUTO_FREE char *text = sys_text(root, "/etc/os-release");
	char *vendor;

	if (!text)
		text = sys_text(root, "/usr/lib/os-release");
	if (!text)
		return;
	/* "Debian", as lsb_release -i spelled it. */
	vendor = os_word(text, "ID");
	if (vendor)
		*vendor = (char)toupper((unsigned char)*vendor);
	fact_take(out, "system", "os", "vendor", vendor);
	fact_take(out, "system", "os", "version", os_word(text, "PRETTY_NAME"));
}

static char *
kernel_arch(const char *root)
{
	char *arch = sys_line(root, "/proc/sys/kernel/arch");
	struct utsname u;

	/* The file is newer than 6.0. A fixture's answer is not ours. */
	if (!arch && !*root && uname(&u) == 0)
		arch = base_strdup(u.machine);
	return arch;
}

/* The kernel word FAKEIPMI lets a virtual machine try a profile that asks for
 * a BMC. */
static void
add_fake_ipmi(const char *root, struct facts *out)
{
	AUTO_FREE char *words_said = sys_line(root, "/proc/cmdline");
	char *rest = words_said, *word;

	while ((word = strsep(&rest, " ")))
		if (str_eq(word, "FAKEIPMI"))
			facts_add(out, "system", "ipmi-fake", "channel", "0");
}

int
probe_system(const char *root, struct facts *out, struct err *e)
{
	(void)e;
	add_firmware_words(root, out);
	add_os(root, out);
	fact_take(out, "system", "kernel", "version",
		  sys_line(root, "/proc/sys/kernel/osrelease"));
	fact_take(out, "system", "kernel", "arch", kernel_arch(root));
	fact_take(out, "system", "kernel", "cmdline",
		  sys_line(root, "/proc/cmdline"));
	add_fake_ipmi(root, out);
	return 0;
}
