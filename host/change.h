#ifndef HOST_CHANGE_H
#define HOST_CHANGE_H

#include "lib/value.h"

#include "rsyncd/pull.h"

#include "host/host.h"
#include "host/versioned.h"

/* Moving a host with versions beside one another from one to another: a version
 * is complete and on the disk, where GRUB sees it, before boot.cfg names it. */
struct change {
	const struct host *host;
	struct versioned *on;
	bool allow_downgrade;
	bool strict; /* files in /etc that no version and no installation
			brought do not come along */
	bool later;  /* at the next boot, also where it could be at once */
	bool live;   /* at once, also when the kernel is another one, which the
			next boot starts then */
	/* out */
	char from[STATE_VERSION], to[STATE_VERSION];
	bool at_boot;        /* the next boot enters it */
	bool reboot;         /* its post asks for that now */
	bool entered;        /* it runs already */
	bool proved;         /* and is the good one */
	struct value *notes; /* what became of edits: list of {"path",
				"what"}; an empty list to begin with */
	struct pull_result pulled;
	/* of change_look */
	bool kernel;         /* it starts with another kernel */
	bool start;          /* with another initrd or /sbin/init */
	uint64_t room, free; /* bytes that it takes, and that there are */
	/* change_look: names of those that run files that it changes; when it
	 * was entered live: what runs old files still, {"pid", "name", "unit",
	 * "path"}; NULL: not known */
	struct value *services;
};

void change_clear(struct change *c);

/* May one go there from here? ERR_INPUT, ERR_REFUSED: what to do instead. */
int change_may(const struct change *c, const char *to, struct err *e);

/* Bring version `to`, and go on in it, or let the next boot try it. ERR_*.
 * Whatever fails, what runs and boots is what did before; called again it goes
 * on. */
int change_upgrade(struct change *c, const char *to, struct err *e);

/* Back, with what stays behind (host/left.h) in c->notes: of a version on trial
 * to the good one, else to the one before. The target's files are hashed first.
 */
int change_rollback(struct change *c, struct err *e);

/* Run its post, in version `where`; c->reboot. ERR_REFUSED when it fails. */
int change_post(struct change *c, const char *where, struct err *e);

/* What change_upgrade would do; writes nothing. `changes`: list of {"path",
 * "what"}: "new", "changed", "removed". */
int change_look(struct change *c, const char *to, struct value *changes,
		struct err *e);

#endif
