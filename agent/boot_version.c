/* What GRUB would start on a disk with versions beside one another, read from
 * what it reads. */
#include <stdio.h>

#include "lib/file.h"

#include "roots/grub.h"
#include "roots/top.h"

#include "agent/boot.h"

#define TEXT_MAX 65536

static int
read_version(const char *top, const char *version, struct grub_version *out,
	     struct err *e)
{
	AUTO_FREE char *root = top_root(top, version);
	AUTO_FREE char *path = base_printf("%s.grub", root);
	AUTO_FREE char *text = NULL;

	if (file_read(path, TEXT_MAX, &text, NULL, e) < 0)
		return -1;
	return grub_read_version(out, text, path, e);
}

/* Another kernel of the same tree. */
static int
find_part(const char *top, const char *version, const char *part,
	  struct grub_version *v, struct err *e)
{
	AUTO_FREE char *root = top_root(top, version);
	struct boot_entry b;

	if (boot_find_kernel(root, part, &b, e) == 0) {
		free(v->kernel);
		free(v->initrd);
		v->kernel = base_printf("%s%s", root + strlen(top), b.kernel);
		v->initrd = b.initrd ? base_printf("%s%s", root + strlen(top),
						   b.initrd)
				     : NULL;
		boot_entry_clear(&b);
		return 0;
	}
	boot_entry_clear(&b);
	return -1;
}

int
boot_read_version(const char *top, const char *version, const char *uuid,
		  const char *part, struct boot_entry *out, struct err *e)
{
	struct grub_version v = { 0 };
	int bad = read_version(top, version, &v, e) < 0 ||
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
