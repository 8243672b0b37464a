#ifndef SITE_ASKING_H
#define SITE_ASKING_H

/* One upload on its way to an answer: what the files of the decision share.
 * All of it runs on the writer thread, inside one transaction, but for what
 * site_upload fills in before. */
#include "lib/hash.h"
#include "site/core.h"

struct asking {
	const struct site_upload *u;
	struct site_reply *out;
	const struct snapshot *site;
	struct match *match; /* one for each profile */
	char **why;          /* ... when none fits: why not; may be NULL */
	struct identity id;
	char facts_hash[HASH_HEX];
	char *facts_json;
	struct store_machine m; /* as it will be stored */
	bool is_new;            /* never seen before: it has nothing yet */
	int64_t now_ms;
	struct buf detail; /* a line for each profile that was tried */
};

/* ---- who.c ---- */

/* Fills a->m, making a new machine where nobody known says the same. *why
 * (owned) is NULL when the machine may go on. Of a->id, what counts is left. */
int find_machine(struct site *s, struct asking *a, char **why, struct err *e);

/* ---- answer.c ---- */

/* It waits, or fits nothing: shown with the reason, no unit, no run. */
int turn_away(struct site *s, struct asking *a, enum site_outcome outcome,
	      const char *reason, struct err *e);

/* 1: the run was answered before, and is again; 0: it was not. ERR_REFUSED: it
 * is over. */
int answer_same_run(struct site *s, struct asking *a, struct err *e);

/* Installed already: a script of one call. */
int send_to_disk(struct site *s, struct asking *a, struct err *e);

/* Profile, entry (NULL: none) and variables become script and run. */
int answer_script(struct site *s, struct asking *a, const struct profile *p,
		  const struct bindings *b, const struct value *entry,
		  struct err *e);

/* ---- claim.c ---- */

/* The machine's entry of the profile's CMDB, claimed: 0 with *entry owned by
 * the caller (NULL: the profile has no CMDB), 1: turned away. */
int claim_entry(struct site *s, struct asking *a, const struct profile *p,
		const struct bindings *b, struct value **entry, struct err *e);

/* ---- profile.c ---- */

/* A machine that has a profile keeps it and binds its variables anew. */
int keep_profile(struct site *s, struct asking *a, struct err *e);

/* The first profile in order that fits and has a unit left. */
int choose_profile(struct site *s, struct asking *a, struct err *e);

/* `reason` is that of a machine that no profile fits, whichever there are. */
bool tells_no_match(const char *reason);

/* Replace an owned text. */
static inline void
set_text(char **slot, const char *text)
{
	char *copy = text ? base_strdup(text) : NULL;

	free(*slot);
	*slot = copy;
}

#endif
