#ifndef AGENT_SCRIPT_LINT_H
#define AGENT_SCRIPT_LINT_H

#include <stddef.h>

#include "lib/value.h"

/* Names of `var` that a configure script uses, var.NAME and var['NAME'], in
 * byte order and once each, as a list of texts: read from its text, which is
 * neither run nor compiled. Owned. Text that is no Lua gives what was found. */
struct value *script_vars(const char *text, size_t len);

/* Compile only. ERR_INPUT with "NAME:LINE: …", and the line. */
int script_compile(const char *name, const char *text, size_t len, int *line,
		   struct err *e);

#endif
