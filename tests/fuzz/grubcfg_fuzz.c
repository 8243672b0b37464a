/* A grub.cfg from an installed disk: no path out of the tree comes of it. */
#include <assert.h>
#include <stdio.h>

#include "agent/boot.h"
#include "lib/base.h"
#include "lib/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static char dir[] = "/tmp/grubcfg_fuzz.XXXXXX";

static void
remove_tree(void)
{
	struct err e;

	dir_remove(dir, &e);
}

/* A tree with one kernel and one initrd, and room for the text. */
static const char *
tree(void)
{
	static int made;
	struct err e;

	if (!made && mkdtemp(dir)) {
		AUTO_FREE char *k = base_printf("%s/boot/k", dir);
		AUTO_FREE char *i = base_printf("%s/boot/i", dir);

		atexit(remove_tree);
		made = file_write(k, "k", 1, 0600, &e) == 0 &&
		       file_write(i, "i", 1, 0600, &e) == 0;
	}
	assert(made);
	return dir;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO_FREE char *cfg = base_printf("%s/boot/grub/grub.cfg", tree());
	struct boot_entry b;
	struct err e = { 0 };

	if (file_write(cfg, bytes, len, 0600, &e) < 0)
		return 0;
	if (boot_read_entry(tree(), NULL, &b, &e) == 0) {

		assert(!strstr(b.kernel, ".."));
		assert(!b.initrd || !strstr(b.initrd, ".."));
	} else {
		assert(e.kind == ERR_INPUT);
	}
	boot_entry_clear(&b);
	return 0;
}
