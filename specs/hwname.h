#ifndef SPECS_HWNAME_H
#define SPECS_HWNAME_H

#include "specs/facts.h"

#define HWNAME_MAX 200

/* The base name of a machine's .hw file: product (else vendor), serial, first
 * MAC, joined by '-'. Only [A-Za-z0-9_.-], no leading dot, at most HWNAME_MAX
 * bytes: never a path. "unknown" when the facts name nothing. Owned. */
char *hw_name(const struct facts *f);

#endif
