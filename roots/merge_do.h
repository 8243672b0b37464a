#ifndef ROOTS_MERGE_DO_H
#define ROOTS_MERGE_DO_H

#include "roots/merge.h"

#define MERGE_SUFFIX ".edeploy-merge"

/* A plan becomes a folder. */
struct merge_job {
	const struct merge_plan *plan;
	const char *ours, *theirs; /* roots that hold what the plan speaks of */
	const char *to; /* root: its folder at the plan's prefix is made anew */
	const char *prefix; /* "etc" */
	const char *bases;  /* a folder with the accounts' files as the old
			       version had them (passwd, group ...), which may
			       lack some; or NULL */
};

/* Builds `to`/`prefix`.edeploy-merge and puts it in the place of `to`/`prefix`,
 * at once. Not durable before the caller's syncfs. ERR_SYS; ERR_REFUSED for
 * accounts that cannot be merged, ERR_INPUT for what cannot be read. What was
 * there stays when it fails. */
int merge_run(const struct merge_job *job, struct err *e);

#endif
