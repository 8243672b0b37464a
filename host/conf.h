#ifndef HOST_CONF_H
#define HOST_CONF_H

#include "lib/err.h"

/* What this host knows of itself. */
struct conf {
	char *version, *role;     /* VERS, ROLE */
	char *rserv, *rserv_port; /* RSERV (or SERV), RSERV_PORT */
	char *rpath;              /* RPATH, "install" when not told */
	char *tree;               /* TREE: where trees are published, or NULL */
};

#define CONF_PATH "/var/lib/edeploy/conf"
#define VARS_PATH "/var/log/edeploy/vars"

/* The value of KEY in KEY=value lines: the last one counts, quotes around the
 * value are taken off, nothing is evaluated. Owned; NULL when absent. */
char *conf_value(const char *text, const char *key);

/* `text` with one line for KEY, in the place of its last one; everything else
 * as it was. Owned. */
char *conf_with(const char *text, const char *key, const char *value);

/* Read and check the conf below `root` ("" is this system). ERR_INPUT names
 * the key at fault. Clear `out` in any case. */
int conf_read(struct conf *out, const char *root, struct err *e);
void conf_clear(struct conf *c);

/* Record another version: atomically, every other line kept. */
int conf_set_version(const char *root, const char *version, struct err *e);

#endif
