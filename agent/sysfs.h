#ifndef AGENT_SYSFS_H
#define AGENT_SYSFS_H

#include <stdbool.h>

#include "specs/facts.h"

/* Reading /sys and /proc below a root ("" or a folder of a fixture). Paths
 * are printf formats and start with a slash; results are owned. */

/* First line, blanks at both ends removed; NULL when it cannot be read or is
 * empty. */
char *sys_line(const char *root, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A whole small file (64 KiB at most); NULL when it cannot be read. */
char *sys_text(const char *root, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Where a path leads after all links, without the root; NULL when nowhere. */
char *sys_real(const char *root, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Last component of where a link leads, as "driver" does. */
char *sys_link_name(const char *root, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

bool sys_exists(const char *root, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Names in a directory, sorted as people count (eth2 before eth10); never
 * NULL; free with names_free (lib/file.h). */
char **sys_names(const char *root, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The order of sys_names, as strcmp. */
int natural_cmp(const char *a, const char *b);

/* Add a fact if there is a value; takes `value`. */
void fact_take(struct facts *f, const char *cls, const char *name,
	       const char *property, char *value);

#endif
