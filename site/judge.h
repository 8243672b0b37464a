#ifndef SITE_JUDGE_H
#define SITE_JUDGE_H

/* What is legal in a site and yet hardly meant. Pure. */
#include "lib/value.h"
#include "site/snapshot.h"

#define JUDGE_MOST 20 /* remarks of one kind about one file */

/* A remark for `list`, as site_check has them. */
void judge_say(struct value *list, const char *file, unsigned line,
	       const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* judge_entries.c: values that stand twice, addresses that cannot work. */
void judge_entries(const struct snapshot *s, const char *dir,
		   struct value *list);

#endif
