#ifndef SITE_SCRATCH_H
#define SITE_SCRATCH_H

#include "lib/lock.h"
#include "site/site.h"

/* A folder for sites that are tried out and thrown away. */
struct scratch {
	struct lock lock; /* held while it is STOREDIR/replay */
	char *dir;        /* NULL: none was made */
};
#define SCRATCH_NONE                                                           \
	{                                                                      \
		.lock = LOCK_NONE                                              \
	}

/* In TMPDIR, or /tmp. ERR_SYS. Clear in any case. */
int scratch_make(struct scratch *t, struct err *e);

/* STOREDIR/replay, which is one server's at a time; what a server that died
 * left there is removed. ERR_REFUSED: in use. */
int scratch_make_in(struct scratch *t, const char *storedir, struct err *e);

/* Removes the folder with all that is in it. */
void scratch_clear(struct scratch *t);

/* Write {name: text} into a folder that is made for it: *dir, owned by the
 * caller. ERR_INPUT: what is no file of a site. */
int scratch_write_site(const struct scratch *t, const struct value *files,
		       char **dir, struct err *e);

/* `of` for a site with its store in DIR/NAME, and its files in `configdir`.
 * Texts are borrowed, but for storedir: free it. */
struct conf scratch_conf(const struct scratch *t, const char *name,
			 const struct conf *of, const char *configdir);

#endif
