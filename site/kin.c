/* What an operator says about who is who: two rows are one machine, or two
 * machines share values that say nothing. Each is checked before anything is
 * changed; what is refused changes nothing. */
#include <stdio.h>

#include "lib/hash.h"
#include "site/who.h"

struct one {
	struct store_machine m;
	struct identity says;   /* all that its last upload said */
	struct identity counts; /* what it is known by, or would be */
	bool stranger;
	char mark[HASH_HEX];
};

struct pair {
	const char *name[2];
	struct one of[2];
};

static int
take_value(void *ctx, int kind, const char *value)
{
	struct one *o = ctx;

	if (kind == FINGERPRINT) {
		o->stranger = true;
		snprintf(o->mark, sizeof(o->mark), "%s", value);
	} else {
		identity_add(&o->counts, (enum identity_kind)kind, value);
	}
	return 0;
}

static int
read_says(struct one *o, struct identity *out, struct err *e)
{
	AUTO(facts) f = NULL;

	if (!o->m.facts)
		return 0;
	if (facts_from_json(&f, o->m.facts, strlen(o->m.facts), e) < 0)
		return -1;
	identify(f, out);
	return 0;
}

static int
read_one(struct site *s, const char *name, struct one *o, struct err *e)
{
	if (machine_by_name(s->writer, name, &o->m, e) < 0 ||
	    store_identities(s->writer, o->m.id, take_value, o, e) < 0 ||
	    read_says(o, &o->says, e) < 0)
		return -1;
	if (!o->stranger)
		return 0;
	if (read_says(o, &o->counts, e) < 0)
		return -1;
	return who_counts(s, &o->counts, e);
}

static int
read_pair(struct site *s, struct pair *p, struct err *e)
{
	for (int i = 0; i < 2; i++)
		if (read_one(s, p->name[i], &p->of[i], e) < 0)
			return -1;
	if (p->of[0].m.id == p->of[1].m.id)
		return err_set(e, ERR_REFUSED, "both are machine m%lld",
			       (long long)p->of[0].m.id);
	return 0;
}

static void
pair_clear(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		store_machine_clear(&p->of[i].m);
		identity_clear(&p->of[i].says);
		identity_clear(&p->of[i].counts);
	}
}

static bool
is_assigned(const struct store_machine *m)
{
	return m->profile != NULL;
}

/* ---- same ---- */

/* Which of the two stays: who has a profile, who is no stranger, who is
 * older. */
static int
who_stays(const struct pair *p)
{
	const struct one *a = &p->of[0], *b = &p->of[1];

	if (is_assigned(&a->m) != is_assigned(&b->m))
		return is_assigned(&a->m) ? 0 : 1;
	if (a->stranger != b->stranger)
		return a->stranger ? 1 : 0;
	return a->m.id < b->m.id ? 0 : 1;
}

/* Values that one of them was told to share with the other count again. */
static int
count_again(struct site *s, struct pair *p, struct err *e)
{
	const struct identity *other = &p->of[1].says;
	enum identity_kind kind;
	const char *value;
	bool shared;

	for (size_t i = 0; identity_at(&p->of[0].says, i, &kind, &value); i++) {
		if (!identity_has(other, kind, value))
			continue;
		if (store_shared(s->writer, kind, value, &shared, e) < 0)
			return -1;
		if (!shared)
			continue;
		if (store_shared_put(s->writer, kind, value, false, e) < 0)
			return -1;
		identity_add(&p->of[0].counts, kind, value);
	}
	return 0;
}

/* A value of a third machine would make that one a part of this. */
static int
check_third(struct site *s, const struct pair *p, const struct one *o,
	    struct err *e)
{
	enum identity_kind kind;
	const char *value;
	int64_t owner;

	for (size_t i = 0; identity_at(&o->counts, i, &kind, &value); i++) {
		if (store_identity_find(s->writer, kind, value, &owner, e) < 0)
			return -1;
		if (owner && owner != p->of[0].m.id && owner != p->of[1].m.id)
			return err_set(
				e, ERR_REFUSED,
				"\"%.60s\" of m%lld is m%lld's, too; say "
				"first: edeployctl distinct m%lld m%lld",
				value, (long long)o->m.id, (long long)owner,
				(long long)owner, (long long)o->m.id);
	}
	return 0;
}

/* What the one that goes looked like last is what the machine looks like. Since
 * when the other is known stays: marks on its disks are made of that. */
static void
take_look(struct store_machine *stays, struct store_machine *goes)
{
	if (goes->last_seen_ms < stays->last_seen_ms)
		return;
	stays->last_seen_ms = goes->last_seen_ms;
	free(stays->facts);
	stays->facts = STEAL(goes->facts);
	free(stays->product);
	stays->product = STEAL(goes->product);
	free(stays->peer);
	stays->peer = STEAL(goes->peer);
}

static int
merge(struct site *s, struct one *stays, struct one *goes, struct err *e)
{
	AUTO_FREE char *text = base_printf("m%lld is this machine, too",
					   (long long)goes->m.id);
	bool newer = goes->m.last_seen_ms >= stays->m.last_seen_ms;
	const struct identity *first = newer ? &stays->counts : &goes->counts;
	const struct identity *last = newer ? &goes->counts : &stays->counts;

	if (store_machine_move(s->writer, goes->m.id, stays->m.id, e) < 0 ||
	    store_machine_drop(s->writer, goes->m.id, e) < 0)
		return -1;
	take_look(&stays->m, &goes->m);
	if (stays->stranger &&
	    store_identity_drop(s->writer, stays->m.id, FINGERPRINT,
				stays->mark, e) < 0)
		return -1;
	if (store_machine_put(s->writer, &stays->m, e) < 0 ||
	    who_learn(s, stays->m.id, first, e) < 0 ||
	    who_learn(s, stays->m.id, last, e) < 0)
		return -1;
	return note_event(s, stays->m.id, "same", text, e);
}

static int
say_same(struct site *s, struct pair *p, struct err *e)
{
	int at;

	if (is_assigned(&p->of[0].m) && is_assigned(&p->of[1].m))
		return err_set(e, ERR_REFUSED,
			       "both have a profile; edeployctl release the "
			       "one whose entry shall be free again");
	if (count_again(s, p, e) < 0 || check_third(s, p, &p->of[0], e) < 0 ||
	    check_third(s, p, &p->of[1], e) < 0)
		return -1;
	at = who_stays(p);
	return merge(s, &p->of[at], &p->of[1 - at], e);
}

/* ---- distinct ---- */

/* A stranger whom nobody is like any more has its row for good. */
static int
settle(struct site *s, struct one *o, const struct one *other, struct err *e)
{
	struct who w;

	if (!o->stranger)
		return 0;
	if (who_is(s, &o->counts, &w, e) < 0)
		return -1;
	free(o->m.reason);
	if (w.verdict == IDENTITY_NEW) {
		if (store_identity_drop(s->writer, o->m.id, FINGERPRINT,
					o->mark, e) < 0 ||
		    who_learn(s, o->m.id, &o->counts, e) < 0)
			return -1;
		o->m.reason = base_printf("told apart from m%lld; it is "
					  "decided when it asks again",
					  (long long)other->m.id);
	} else if (w.verdict == IDENTITY_KNOWN) {
		o->m.reason = base_printf("is m%lld; this row goes when it "
					  "asks again",
					  (long long)w.machine);
	} else {
		o->m.reason = base_strdup(w.why);
	}
	return store_machine_put(s->writer, &o->m, e);
}

/* The values that both have count for neither. */
static int
share(struct site *s, struct pair *p, size_t *n, struct err *e)
{
	enum identity_kind kind;
	const char *value;
	size_t i = 0;

	while (identity_at(&p->of[0].counts, i, &kind, &value)) {
		AUTO_FREE char *copy = base_strdup(value);

		if (!identity_has(&p->of[1].counts, kind, copy)) {
			i++;
			continue;
		}
		for (int k = 0; k < 2; k++) {
			if (store_identity_drop(s->writer, p->of[k].m.id, kind,
						copy, e) < 0)
				return -1;
			identity_remove(&p->of[k].counts, kind, copy);
		}
		if (store_shared_put(s->writer, kind, copy, true, e) < 0)
			return -1;
		++*n;
	}
	return 0;
}

static int
check_left(const struct one *o, struct err *e)
{
	if (o->counts.uuid || o->counts.serial || o->counts.macs_len)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "m%lld would have nothing left to be known by; set a "
		       "serial or a system UUID of its own in its firmware",
		       (long long)o->m.id);
}

static int
say_distinct(struct site *s, struct pair *p, struct err *e)
{
	AUTO_FREE char *text = base_printf("m%lld is another machine",
					   (long long)p->of[1].m.id);
	size_t n = 0;

	if (share(s, p, &n, e) < 0)
		return -1;
	if (n == 0)
		return err_set(e, ERR_REFUSED,
			       "nothing that counts is the same in both");
	for (int i = 0; i < 2; i++)
		if (check_left(&p->of[i], e) < 0)
			return -1;
	for (int i = 0; i < 2; i++)
		if (settle(s, &p->of[i], &p->of[1 - i], e) < 0)
			return -1;
	return note_event(s, p->of[0].m.id, "distinct", text, e);
}

/* ---- both ---- */

static int
same(struct site *s, void *ctx, struct err *e)
{
	return read_pair(s, ctx, e) < 0 ? -1 : say_same(s, ctx, e);
}

static int
distinct(struct site *s, void *ctx, struct err *e)
{
	return read_pair(s, ctx, e) < 0 ? -1 : say_distinct(s, ctx, e);
}

int
site_same(struct site *s, const char *a, const char *b, struct err *e)
{
	struct pair p = { .name = { a, b } };
	int failed = site_write(s, same, &p, e);

	pair_clear(&p);
	return failed;
}

int
site_distinct(struct site *s, const char *a, const char *b, struct err *e)
{
	struct pair p = { .name = { a, b } };
	int failed = site_write(s, distinct, &p, e);

	pair_clear(&p);
	return failed;
}
