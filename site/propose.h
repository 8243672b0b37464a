#ifndef SITE_PROPOSE_H
#define SITE_PROPOSE_H

/* The inside of site_propose. */
#include "site/site.h"

struct proposal {
	const struct facts *f;
	struct buf *out;
	size_t rows;
};

/* ---- propose.c ---- */

void propose_row(struct proposal *p, const char *class, const char *name,
		 const char *property, const char *word);

/* A line of its own; what comes from facts has no control bytes there. */
void propose_comment(struct proposal *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The same, where another part begins. */
void propose_part(struct proposal *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* `word`, in a row, is no variable and fits this value. */
bool propose_fits(const char *word, const char *value);

/* The word that fits this value and no other; NULL when there is none. Owned.
 */
char *propose_word(const char *value);

/* A number without sign, 0 for NULL and for what is none. */
uint64_t propose_number(const char *text);

/* ---- propose_parts.c ---- */

void propose_disks(struct proposal *p);
void propose_network(struct proposal *p);

#endif
