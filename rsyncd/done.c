/* Is the folder what is asked for already? Most pulls end here: one question to
 * the server, which may answer that nothing is new, and a look at each file. */
#include <stdio.h>

#include "lib/base.h"
#include "lib/file.h"
#include "rsyncd/job.h"
#include "rsyncd/lanes.h"
#include "rsyncd/stand.h"

#define CHUNK 256      /* entries at once */
#define KNOWN_MAX 4096 /* bytes of the file */
#define KNOWN_NAME "known"

/* ---- what HEAD was ---- */

static char *
known_path(const struct job *j)
{
	return base_printf("%s/" KNOWN_NAME, j->o->record);
}

/* The tag of the HEAD that named this seal, when it came from the same place:
 * only then does "not modified" mean what the record says. */
static void
read_known(struct job *j)
{
	AUTO_FREE char *path = known_path(j), *place = release_place(j);
	AUTO_FREE char *text = NULL;
	char hash[HASH_HEX], tag[SOURCE_TAG];
	struct err e = { 0 };
	size_t len;
	int at = 0;

	if (file_read(path, KNOWN_MAX, &text, &len, &e) < 0 ||
	    sscanf(text, "%64s %95s %n", hash, tag, &at) != 2 || at == 0 ||
	    text[len - 1] != '\n')
		return;
	text[len - 1] = '\0';
	if (str_eq(hash, j->done.seal->hash) && str_eq(text + at, place) &&
	    source_tag_is_safe(tag))
		snprintf(j->done.tag, sizeof(j->done.tag), "%s", tag);
}

void
done_keep(const struct job *j, const char *seal_hash)
{
	AUTO_FREE char *path = known_path(j), *place = release_place(j);
	AUTO_FREE char *text = NULL;
	struct err e; /* without it, HEAD is fetched: no harm is done */

	if (!*j->done.tag || j->done.same || strchr(place, '\n'))
		return;
	text = base_printf("%s %s %s\n", seal_hash, j->done.tag, place);
	file_replace(path, text, strlen(text), 0644, &e);
}

/* ---- what is there ---- */

int
done_read(struct job *j, struct err *e)
{
	const struct pull_opts *o = j->o;
	int known = o->record ? record_read(o->record, o->trust, &j->done.seal,
					    &j->done.m, e)
			      : 0;

	if (known < 0 && e->kind == ERR_SYS)
		return -1;
	*e = (struct err){ 0 }; /* what cannot be read counts for nothing */
	if (known > 0 && str_eq(j->done.seal->role, o->role) &&
	    (!o->version || str_eq(j->done.seal->version, o->version)))
		read_known(j);
	return 0;
}

struct standing {
	struct job *j;
	bool other; /* something does not stand as recorded */
};

static int
stands_chunk(void *ctx, int lane, size_t chunk, struct err *e)
{
	struct standing *s = ctx;
	const struct manifest *m = s->j->done.m;
	size_t i = chunk * CHUNK, end = i + CHUNK;

	(void)lane;
	for (; i < end && i < m->len; i++) {
		int is;

		if (__atomic_load_n(&s->other, __ATOMIC_RELAXED))
			return 0;
		is = stand_stat(s->j->into, &m->entry[i], NULL, e);
		if (is < 0)
			return -1;
		if (is != STAND_SAME)
			__atomic_store_n(&s->other, true, __ATOMIC_RELAXED);
	}
	return 0;
}

/* Does everything stand as recorded, by stat alone? 1, 0, -1. */
static int
stands(struct job *j, struct err *e)
{
	struct standing s = { .j = j };
	struct lanes_each each = { .threads = j->threads,
				   .count =
					   (j->done.m->len + CHUNK - 1) / CHUNK,
				   .work = stands_chunk,
				   .ctx = &s };

	if (lanes_each(&each, e) < 0)
		return -1;
	return !s.other;
}

int
done_is(struct job *j, struct err *e)
{
	const struct head *h = &j->head;
	const struct seal *s = j->done.seal;
	int same;

	if (!s)
		return 0;
	if (str_eq(s->role, h->role) && str_eq(s->version, h->version) &&
	    s->revision > h->revision)
		return err_set(e, ERR_REFUSED,
			       "%s %s: its revision %llu is older than the one "
			       "that is here: somebody replays old files",
			       s->role, s->version,
			       (unsigned long long)h->revision);
	if (!str_eq(s->root, h->root) || j->into < 0)
		return 0;
	same = stands(j, e);
	if (same > 0) {
		j->r->files = j->done.m->len;
		j->r->bytes = j->done.m->bytes;
		if (str_eq(s->hash, h->seal))
			done_keep(j, s->hash);
	}
	return same;
}
