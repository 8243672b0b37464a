#ifndef ROOTS_KERNEL_H
#define ROOTS_KERNEL_H

#include "lib/err.h"

/* The newest kernel of a tree and its initrd, as paths in it
 * ("/boot/vmlinuz-6.1.0-18-amd64"); owned by the caller. `part`: only kernels
 * with this in their name, or NULL. *initrd is NULL when the kernel has none
 * beside it. ERR_INPUT when there is no kernel. */
int kernel_find(const char *root, const char *part, char **kernel,
		char **initrd, struct err *e);

#endif
