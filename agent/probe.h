#ifndef AGENT_PROBE_H
#define AGENT_PROBE_H

#include <stddef.h>

#include "agent/detect.h"
#include "lib/err.h"
#include "specs/facts.h"

/* Adds what it finds below `root` to `out`; reads nothing outside of it. What
 * the machine does not tell gives no fact. -1 when the whole look failed: the
 * facts added so far count all the same, and `e` becomes a note. */
typedef int probe_run(const char *root, struct facts *out, struct err *e);

struct probe {
	const char *name;
	probe_run *run;
};

/* detect() with a table of its own: probes run at the same time, their facts
 * come in the order of the table, at most `deadline_ms` after the start. */
int probes_detect(const struct probe *table, size_t len, int deadline_ms,
		  const char *root, struct facts *out,
		  struct detect_notes *notes, struct err *e);

int probe_disk(const char *root, struct facts *out, struct err *e);
int probe_system(const char *root, struct facts *out, struct err *e);
int probe_memory(const char *root, struct facts *out, struct err *e);
int probe_network(const char *root, struct facts *out, struct err *e);
int probe_cpu(const char *root, struct facts *out, struct err *e);
int probe_pci(const char *root, struct facts *out, struct err *e);
int probe_ipmi(const char *root, struct facts *out, struct err *e);

/* Names of the PCI device at `address` ("0000:00:03.0"), the numbers as text
 * ("8086", "100e") when no pci.ids knows them; NULL when the device cannot be
 * read. Both are owned by the caller. agent/probe_pci.c is libpci's fence. */
void pci_names(const char *root, const char *address, char **vendor,
	       char **product);

#endif
