#ifndef HOST_AFFECTED_H
#define HOST_AFFECTED_H

#include "lib/value.h"

#include "rsyncd/manifest.h"

/* Two entries of the same path are the same to who uses the file. */
bool affected_same(const struct manifest_entry *a,
		   const struct manifest_entry *b);

/* Does `will` start with another kernel than `was`? */
bool affected_kernel(const struct manifest *was, const struct manifest *will);

/* Has it another initrd or /sbin/init? Then it is entered live, and on trial
 * until a boot. (Of several initrds this asks for each, as for kernels: which
 * one is started is known when the version is there.) */
bool affected_start(const struct manifest *was, const struct manifest *will);

/* Names of the units (of programs without one: their names) that run files
 * which are others in `will`: list of texts, sorted, each once. Sees all
 * programs only as root. */
struct value *affected_services(const struct manifest *was,
				const struct manifest *will);

#endif
