/* What the base holds gets its place in the tree, shared or copied. A file of
 * the base counts when its bytes have the hash; it is shared first and looked
 * at then, so that what was looked at is what the tree gets. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "rsyncd/job.h"
#include "rsyncd/lanes.h"
#include "rsyncd/place.h"
#include "rsyncd/stand.h"

struct sharing {
	struct job *j;
	struct walk_look *pool[LANES_MAX];
	size_t *todo; /* contents */
	size_t len;
};

static enum pull_share
share_of(const struct job *j, const struct manifest_entry *x)
{
	return j->o->share_of ? j->o->share_of(j->o->ctx, x->path)
			      : j->o->share;
}

/* A copy of what `fd` holds becomes this entry. 1: right; 0: other bytes. */
static int
copy_entry(struct job *j, int lane, uint32_t entry, int fd, bool reflink,
	   struct err *e)
{
	const struct manifest_entry *x = &j->m->entry[entry];
	struct place_from from = { fd, reflink, false, j->room[lane] };
	struct digest d;

	if (place_copy(j->into, x, &from, &d, e) < 0) {
		if (e->kind != ERR_INPUT)
			return -1;
		return place_remove(j->into, x->path, false, e);
	}
	if (!digest_eq(&d, &x->hash))
		return place_remove(j->into, x->path, false, e);
	j->entry[entry] = ENTRY_DONE;
	__atomic_add_fetch(from.shared ? &j->r->shared : &j->r->copied, 1,
			   __ATOMIC_RELAXED);
	return 1;
}

static int
copy_here(struct job *j, int lane, size_t content, uint32_t entry,
	  struct err *e)
{
	const struct want *w = &j->want[content];
	int got;

	AUTO_CLOSE int fd = -1;

	if (w->state != WANT_HERE)
		return 0;
	fd = base_file(j->into, j->m->entry[w->here].path);
	if (fd < 0)
		return err_sys(e, "%s", j->m->entry[w->here].path);
	got = copy_entry(j, lane, entry, fd, true, e);
	return got != 0 ? got
			: err_set(e, ERR_SYS, "%s: it changed meanwhile",
				  j->m->entry[w->here].path);
}

static int
copy_base(struct job *j, int lane, const struct content *c, uint32_t entry,
	  struct err *e)
{
	struct base *b = &j->base;
	const struct manifest_entry *x = &j->m->entry[entry];
	uint32_t from =
		b->state[c->at] == BASE_DRIFTED ? HOLDERS_END : b->right[c->at];

	for (; from != HOLDERS_END; from = b->h.next[from]) {
		AUTO_CLOSE int fd = base_file(b->fd, b->m->entry[from].path);
		int got = fd < 0 ? 0
				 : copy_entry(j, lane, entry, fd,
					      share_of(j, x) != PULL_COPY, e);

		if (got < 0)
			return -1;
		b->right[c->at] = from;
		b->state[c->at] = got ? BASE_RIGHT : BASE_DRIFTED;
		if (got)
			return 1;
		base_drifted(j);
	}
	return 0;
}

static int
link_now(struct job *j, const char *from, const char *to, struct err *e)
{
	const char *a, *b;
	AUTO_CLOSE int x = open_parent(j->base.fd, from, &a, e);
	AUTO_CLOSE int y = x < 0 ? -1 : open_parent(j->into, to, &b, e);

	if (y < 0)
		return -1;
	unlinkat(y, b, 0);
	if (linkat(x, a, y, b, 0) == 0)
		return 1;
	return errno == EXDEV || errno == EMLINK || errno == EPERM ||
			       errno == ENOENT
		       ? 0
		       : err_sys(e, "link %s", to);
}

/* The same inode, where all of it is equal. */
static int
link_base(struct sharing *s, int lane, const struct content *c, uint32_t entry,
	  struct err *e)
{
	struct job *j = s->j;
	const struct manifest_entry *x = &j->m->entry[entry];
	const struct manifest_entry *from;
	struct manifest_entry is;
	struct digest d;
	int got;

	if (j->link_from[entry] == HOLDERS_END)
		return 0;
	from = &j->base.m->entry[j->link_from[entry]];
	got = walk_look(s->pool[lane], j->base.fd, from->path, &is, e);
	if (got < 0)
		return -1;
	if (!got || is.type != 'f' || is.size != x->size ||
	    !stand_dress_equal(x, &is, NULL))
		return 0;
	got = link_now(j, from->path, x->path, e);
	if (got <= 0)
		return got;
	AUTO_CLOSE int fd = base_file(j->into, x->path);

	if (fd < 0)
		return err_sys(e, "%s", x->path);
	got = place_hash(fd, x->size, j->room[lane], &d, x->path, e);
	if (got < 0 && e->kind != ERR_INPUT)
		return -1;
	if (got < 0 || !digest_eq(&d, &x->hash))
		return place_remove(j->into, x->path, false, e);
	j->base.right[c->at] = j->link_from[entry];
	j->base.state[c->at] = BASE_RIGHT;
	j->entry[entry] = ENTRY_DONE;
	__atomic_add_fetch(&j->r->shared, 1, __ATOMIC_RELAXED);
	return 1;
}

static int
share_entry(struct sharing *s, int lane, size_t content, uint32_t entry,
	    struct err *e)
{
	struct job *j = s->j;
	const struct content *mine = contents_at(j->h.contents, content);
	const struct content *c =
		j->base.m ? contents_find(j->base.h.contents, &mine->hash)
			  : NULL;
	int got = 0;

	if (j->o->dry_run) {
		if (j->want[content].state != WANT_MISSING || !c)
			return 0;
		got = base_prove_one(j, lane, c, e);
		if (got > 0)
			j->want[content].state = WANT_HELD;
		return got < 0 ? -1 : 0;
	}
	if (c)
		got = link_base(s, lane, c, entry, e);
	if (got == 0)
		got = copy_here(j, lane, content, entry, e);
	if (got == 0 && c)
		got = copy_base(j, lane, c, entry, e);
	if (got > 0 && j->want[content].state != WANT_HERE) {
		j->want[content].here = entry;
		j->want[content].state = WANT_HERE;
	}
	return got < 0 ? -1 : 0;
}

static int
share_one(void *ctx, int lane, size_t i, struct err *e)
{
	struct sharing *s = ctx;
	struct job *j = s->j;
	uint32_t at = j->h.first[s->todo[i]];

	for (; at != HOLDERS_END; at = j->h.next[at]) {
		if (j->entry[at] != ENTRY_ABSENT)
			continue;
		if (share_entry(s, lane, s->todo[i], at, e) < 0)
			return -1;
		stage_add(j, j->m->entry[at].size);
	}
	return 0;
}

static int
share_tick(void *ctx, struct err *e)
{
	struct sharing *s = ctx;

	return stage_tick(s->j, e);
}

/* The base's entry at this path, or NULL. Both manifests have the same order,
 * so that *at moves along with the paths that are asked for. */
static const struct manifest_entry *
same_path(const struct manifest *m, size_t *at, const char *path)
{
	int order = -1;

	while (*at < m->len &&
	       (order = manifest_path_cmp(m->entry[*at].path, path)) < 0)
		(*at)++;
	return order == 0 ? &m->entry[*at] : NULL;
}

/* Another file of ours has this one of the base: a run before this linked it.
 */
static bool
is_taken(const struct job *j, const char *path)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (!j->inodes)
		return false;
	fd = open_beneath(j->base.fd, path, O_PATH, 0);
	return fd >= 0 && fstat(fd, &st) == 0 && inodes_has(j->inodes, &st);
}

/* The base's inode for this entry: of the same path first (`same`), each once,
 * or two of our files would be one. */
static uint32_t
choose_link(struct job *j, const struct manifest_entry *x,
	    const struct content *c, const struct manifest_entry *same)
{
	struct base *b = &j->base;
	uint32_t at = b->h.first[c->at];

	if (same && same->type == 'f' && same->size == x->size &&
	    digest_eq(&same->hash, &x->hash) &&
	    stand_dress_equal(same, x, NULL) && !b->linked[same - b->m->entry])
		return (uint32_t)(same - b->m->entry);
	for (; at != HOLDERS_END; at = b->h.next[at])
		if (!b->linked[at] &&
		    !manifest_find(j->m, b->m->entry[at].path) &&
		    stand_dress_equal(&b->m->entry[at], x, NULL) &&
		    !is_taken(j, b->m->entry[at].path))
			return at;
	return HOLDERS_END;
}

void
base_choose(struct job *j)
{
	size_t i, at = 0;

	j->link_from = base_array(j->m->len + 1, sizeof(*j->link_from));
	for (i = 0; i < j->m->len; i++) {
		const struct manifest_entry *x = &j->m->entry[i];
		const struct content *c;

		j->link_from[i] = HOLDERS_END;
		if (!j->base.m || x->type != 'f' || x->size == 0 ||
		    j->entry[i] != ENTRY_ABSENT || share_of(j, x) != PULL_LINK)
			continue;
		c = contents_find(j->base.h.contents, &x->hash);
		if (!c)
			continue;
		j->link_from[i] = choose_link(
			j, x, c, same_path(j->base.m, &at, x->path));
		if (j->link_from[i] != HOLDERS_END)
			j->base.linked[j->link_from[i]] = true;
	}
}

/* Contents that are here or in the base and have a place to go to. */
static uint64_t
list_todo(struct sharing *s)
{
	struct job *j = s->j;
	size_t i, n = contents_len(j->h.contents);
	uint64_t bytes = 0;
	uint32_t at;

	for (i = 0; i < n; i++) {
		const struct content *c = contents_at(j->h.contents, i);
		bool held = !j->want[i].linking &&
			    (j->want[i].state == WANT_HERE ||
			     (j->base.m &&
			      contents_find(j->base.h.contents, &c->hash)));
		bool some = false;

		for (at = j->h.first[i]; held && at != HOLDERS_END;
		     at = j->h.next[at])
			if (j->entry[at] == ENTRY_ABSENT) {
				bytes += c->size;
				some = true;
			}
		if (some)
			s->todo[s->len++] = i;
	}
	return bytes;
}

int
base_share(struct job *j, struct err *e)
{
	size_t n = contents_len(j->h.contents);
	AUTO_FREE size_t *todo = base_array(n + 1, sizeof(*todo));
	struct sharing s = { .j = j, .todo = todo };
	struct lanes_each each = { .threads = j->threads,
				   .work = share_one,
				   .tick = share_tick,
				   .ctx = &s };
	int i, bad;

	stage_begin(j, "look", list_todo(&s));
	if (s.len > 0 && aside_folders(j, e) < 0)
		return -1;
	each.count = s.len;
	for (i = 0; i < j->threads; i++)
		s.pool[i] = walk_look_new();
	bad = lanes_each(&each, e);
	for (i = 0; i < j->threads; i++)
		walk_look_free(s.pool[i]);
	stage_end(j);
	return bad;
}
