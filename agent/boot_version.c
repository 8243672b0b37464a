/* What GRUB would start on a disk with versions beside one another, read from
 * what it reads. */
#include <stdio.h>

#include "lib/base.h"

#include "roots/grub.h"
#include "roots/kernel.h"
#include "roots/top.h"

#include "agent/boot.h"

/* Another kernel of the same tree. */
static int
find_part(const char *top, const char *version, const char *part,
	  struct grub_version *v, struct err *e)
{
	AUTO_FREE char *root = top_root(top, version);
	AUTO_FREE char *kernel = NULL;
	AUTO_FREE char *initrd = NULL;
	const char *below = root + strlen(top);

	if (kernel_find(root, part, &kernel, &initrd, e) < 0)
		return -1;
	free(v->kernel);
	free(v->initrd);
	v->kernel = base_printf("%s%s", below, kernel);
	v->initrd = initrd ? base_printf("%s%s", below, initrd) : NULL;
	return 0;
}

int
boot_read_version(const char *top, const char *version, const char *uuid,
		  const char *part, struct boot_entry *out, struct err *e)
{
	struct grub_version v = { 0 };
	int bad = grub_load_version(&v, top, version, e) < 0 ||
		  (part && find_part(top, version, part, &v, e) < 0);

	*out = (struct boot_entry){ 0 };
	if (!bad) {
		out->kernel = STEAL(v.kernel);
		out->initrd = STEAL(v.initrd);
		/* no generation: nobody counts what GRUB did not start */
		out->args = base_printf("root=UUID=%s init=/" TOP_DIR
					"/init edeploy.root=%s %s",
					uuid, version, v.args);
	}
	grub_version_clear(&v);
	return bad ? -1 : 0;
}
