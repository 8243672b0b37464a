#ifndef HOST_SWITCH_H
#define HOST_SWITCH_H

#include <stdbool.h>

#include "lib/err.h"
#include "lib/value.h"

#include "host/host.h"

/* The move of the running system into another of its versions, without a
 * boot. `to` stands complete in /edeploy/roots, with what roots/top.h puts
 * beside it, where GRUB sees it. Both an upgrade and a rollback go this way. */
struct switch_job {
	const char *to;
	const char *from; /* of switch_resume: what was left */

	/* Each may be NULL. */
	int (*merge)(void *ctx, struct err *e); /* /etc once more, just before
						 */
	/* In the running system of `to`; *reboot: it shall be booted. */
	int (*post)(void *ctx, bool *reboot, struct err *e);
	int (*healthy)(void *ctx, struct err *e);
	void *ctx;

	bool restart; /* the services that still run old files; else they are
			 only told of */

	/* Out. */
	bool proved;              /* it is the good version now */
	bool reboot;              /* `post` wants one */
	struct value *stragglers; /* list to which each program that still runs
				     old files is added: {"pid", "name",
				     "unit", "path"}; or NULL */
};

/* The boot state first: a power cut from here on boots `to` as a trial that is
 * counted; or the good version, when `to` is that one. Then merge, the move,
 * the running kernel's modules, systemd's units read anew, `post`, health. A
 * version that starts with the very files that the running one started with
 * (kernel, initrd, arguments, /sbin/init) is good then; another stays on trial
 * until a boot has proved it.
 *
 * When anything fails the system is in its old version again, with the old
 * boot state, and services that were restarted meanwhile are restarted once
 * more. ERR_REFUSED when it cannot be live, with nothing done; other kinds as
 * they come. */
int switch_live(const struct host *h, struct switch_job *job, struct err *e);

/* What was cut off behind the move is done to its end: the system stands in
 * `to`, which is on trial, or good already. `merge` is not called. When it
 * fails `to` stays what it is; ERR_*. */
int switch_resume(const struct host *h, struct switch_job *job, struct err *e);

/* How two versions start, by their files: is the kernel the same; is all the
 * same that a boot loader reads (kernel, initrd, arguments)? `top` is "" for
 * the running system. ERR_SYS, ERR_INPUT. */
int switch_compare(const char *top, const char *a, const char *b,
		   bool *same_kernel, bool *same_start, struct err *e);

#endif
