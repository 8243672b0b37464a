/* Kernels by their names, as distributions give them. */
#include <stdio.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/kernel.h"

/* The version in a kernel's file name, or NULL. */
static const char *
version_of(const char *name)
{
	static const char *const heads[] = { "vmlinuz-", "vmlinux-",
					     "kernel-" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(heads); i++)
		if (str_starts(name, heads[i]))
			return name + strlen(heads[i]);
	return str_eq(name, "vmlinuz") ? "" : NULL;
}

bool
kernel_is_whole(const char *root, const char *path)
{
	AUTO_FREE char *there = base_printf("%s%s", root, path);
	FILE *f = fopen(there, "re");
	bool whole = f && fgetc(f) != EOF;

	if (f)
		fclose(f);
	return whole;
}

static char *
find_initrd(const char *root, const char *version)
{
	const char *fmt[] = { "/boot/initrd.img-%s", "/boot/initramfs-%s.img",
			      "/boot/initrd-%s", "/boot/initrd-%s.img" };
	size_t i;

	if (!*version)
		return kernel_is_whole(root, "/boot/initrd.img")
			       ? base_strdup("/boot/initrd.img")
			       : NULL;
	for (i = 0; i < ARRAY_LEN(fmt); i++) {
		const char *at = strstr(fmt[i], "%s");
		AUTO_FREE char *path =
			base_printf("%.*s%s%s", (int)(at - fmt[i]), fmt[i],
				    version, at + 2);

		if (kernel_is_whole(root, path))
			return STEAL(path);
	}
	return NULL;
}

int
kernel_find(const char *root, const char *part, char **kernel, char **initrd,
	    struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/boot", root);
	char **names = dir_names(dir);
	const char *best = NULL;
	size_t i;

	*kernel = *initrd = NULL;
	for (i = 0; names && names[i]; i++) {
		AUTO_FREE char *path = base_printf("/boot/%s", names[i]);
		const char *version = version_of(names[i]);

		if (!version || str_ends(names[i], ".old") ||
		    (part && !strstr(names[i], part)) ||
		    !kernel_is_whole(root, path))
			continue;
		if (!best || strverscmp(version, version_of(best)) > 0)
			best = names[i];
	}
	if (best) {
		*kernel = base_printf("/boot/%s", best);
		*initrd = find_initrd(root, version_of(best));
	}
	names_free(names);
	if (!*kernel)
		return err_set(e, ERR_INPUT,
			       "the tree has no kernel%s%s in /boot: install "
			       "one in the role",
			       part ? " named like " : "", part ? part : "");
	return 0;
}

int
kernel_find_both(const char *root, char **kernel, char **initrd, struct err *e)
{
	if (kernel_find(root, NULL, kernel, initrd, e) < 0)
		return -1;
	if (!*initrd)
		return err_set(e, ERR_INPUT,
			       "%s has no initrd beside it, and a kernel alone "
			       "cannot find its root by UUID: make one in the "
			       "role",
			       *kernel);
	return 0;
}
