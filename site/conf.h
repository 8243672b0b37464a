#ifndef SITE_CONF_H
#define SITE_CONF_H

#include <stddef.h>

#include "lib/base.h"
#include "lib/err.h"

/* /etc/edeploy.conf: one section = one site = one store. Keys and defaults
 * are in docs/formats.md. */
struct conf {
	char *section;
	char *configdir; /* the site: state, .specs, .configure, .cmdb */
	char *hwdir;     /* uploads kept as NAME.hw, or NULL: not kept */
	char *logdir;    /* logs of runs, and *.log.gz of old agents */
	char *lockfile;
	char *metadataurl; /* or NULL */
	char *storedir;
	char *bootdir; /* what GET /boot/ serves */
	char *trees;   /* what GET /trees/ serves, or NULL: nothing */
	char *socket;  /* unix socket for edeployctl */
	char *listen;  /* ADDR:PORT, or NULL */
	char *fastcgi; /* socket path, or NULL */
};

struct confs {
	struct conf *at;
	size_t len;
};

/* Read the file. ERR_SYS; ERR_INPUT with path and line: an unknown key, a
 * value that is not one, USEPXEMNGR (with the way that replaces it). */
int confs_read(struct confs **out, const char *path, struct err *e);

/* The section of that name, or NULL. Borrowed. */
const struct conf *confs_find(const struct confs *c, const char *section);

/* The conf of a bare site directory, for edeployctl --site. Owned as a list
 * of one. */
struct confs *confs_of_site(const char *dir);

void confs_free(struct confs *c);
AUTO_DEFINE(confs)

#endif
