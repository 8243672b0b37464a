#ifndef RSYNCD_DPKG_H
#define RSYNCD_DPKG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base.h"

/* Debian's packages in a tree: what var/lib/dpkg/status says is installed. */
#define DPKG_STATUS "var/lib/dpkg/status"
#define DPKG_STATUS_MAX (64UL << 20)
#define DPKG_LIST_MAX (16UL << 20)

struct dpkg_package {
	char *name; /* "libc6:amd64" where dpkg calls it so, else "bash" */
	const char *version;
	uint64_t size_kib; /* as the package says, 0 when it does not */
};

struct dpkg {
	struct dpkg_package *at; /* by name */
	size_t len;
	char *text;
};

/* Takes `text` (NUL-terminated, owned by *out from now on). Lines that say
 * nothing of use are passed over; nothing is an error. */
struct dpkg *dpkg_parse(char *text);
const struct dpkg_package *dpkg_find(const struct dpkg *d, const char *name);
void dpkg_free(struct dpkg *d);
AUTO_DEFINE(dpkg)

/* The package of var/lib/dpkg/info/NAME.list, owned; NULL: not such a path. */
char *dpkg_list_name(const char *path);

/* A package's list has the path (of a manifest). With merged /usr a package may
 * say bin/ls for what is usr/bin/ls. */
bool dpkg_list_has(const char *list, const char *path);

#endif
