/* What a boot loader reads of a version: roots/VERSION.grub and the files that
 * it names. */
#include "lib/base.h"

#include "roots/grub.h"
#include "roots/same.h"

#include "host/switch.h"

/* Two files below the top. */
static int
same_below(const char *top, const char *a, const char *b, bool *same,
	   struct err *e)
{
	AUTO_FREE char *left = base_printf("%s%s", top, a);
	AUTO_FREE char *right = base_printf("%s%s", top, b);

	return same_bytes(left, right, same, e);
}

int
switch_compare(const char *top, const char *a, const char *b, bool *same_kernel,
	       bool *same_start, struct err *e)
{
	AUTO_CLEAR(grub_version) left = { 0 };
	AUTO_CLEAR(grub_version) right = { 0 };
	bool same_initrd;

	if (grub_load_version(&left, top, a, e) < 0 ||
	    grub_load_version(&right, top, b, e) < 0 ||
	    same_below(top, left.kernel, right.kernel, same_kernel, e) < 0 ||
	    same_below(top, left.initrd, right.initrd, &same_initrd, e) < 0)
		return -1;
	*same_start =
		*same_kernel && same_initrd && str_eq(left.args, right.args);
	return 0;
}
