#ifndef ROOTS_KERNEL_H
#define ROOTS_KERNEL_H

#include <stdbool.h>

#include "lib/err.h"

/* A file of the tree ("/boot/x") that is there and not empty. */
bool kernel_is_whole(const char *root, const char *path);

/* The newest kernel of a tree and its initrd, as paths in it
 * ("/boot/vmlinuz-6.1.0-18-amd64"); owned by the caller. `part`: only kernels
 * with this in their name, or NULL. *initrd is NULL when the kernel has none
 * beside it. ERR_INPUT when there is no kernel. */
int kernel_find(const char *root, const char *part, char **kernel,
		char **initrd, struct err *e);

/* The newest kernel, and the initrd that it needs to find its root by UUID.
 * ERR_INPUT when it has none. */
int kernel_find_both(const char *root, char **kernel, char **initrd,
		     struct err *e);

#endif
