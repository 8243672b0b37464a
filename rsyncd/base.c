/* What is on the disk already, recorded or looked through. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "rsyncd/job.h"
#include "rsyncd/lanes.h"
#include "rsyncd/place.h"
#include "rsyncd/stand.h"
#include "rsyncd/walk.h"

/* ---- open ---- */

/* A record that is damaged, or signed with a key of former days. */
static void
say_unknown(const struct job *j, struct err *e)
{
	AUTO_FREE char *line =
		base_printf("%s: the base is looked through instead", e->text);

	if (j->o->source.say)
		j->o->source.say(j->o->source.ctx, line);
	*e = (struct err){ 0 };
}

/* When what the record tells was right for sure. A copy of a record that keeps
 * the time is as old as the record. */
static struct timespec
recorded(const char *record)
{
	AUTO_FREE char *seal = base_printf("%s/seal", record);
	struct stat st;

	return stat(seal, &st) < 0 ? (struct timespec){ 0 } : st.st_mtim;
}

static void
know(struct base *b)
{
	size_t i, n;

	holders_init(&b->h, b->m);
	n = contents_len(b->h.contents);
	b->state = base_array(n + 1, sizeof(*b->state));
	b->right = base_array(n + 1, sizeof(*b->right));
	b->linked = base_array(b->m->len + 1, sizeof(*b->linked));
	for (i = 0; i < n; i++) {
		b->right[i] = b->h.first[i];
		/* what was looked through has been hashed just now */
		b->state[i] = b->seal ? BASE_UNKNOWN : BASE_RIGHT;
	}
}

/* What the file system of the folder gives as a time to what changes now. A
 * base that is elsewhere is not linked. One that has no nameless files is not
 * asked: it may be another machine's, with a clock of its own. */
static struct timespec
clock_of(int dirfd)
{
	AUTO_CLOSE int fd =
		openat(dirfd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	struct stat st;

	return fd < 0 || fstat(fd, &st) < 0 ? (struct timespec){ 0 }
					    : st.st_ctim;
}

static int
look_through(struct job *j, struct err *e)
{
	struct walk_opts w = { .dir = j->o->base, .threads = j->threads };
	struct base *b = &j->base;

	if (j->into >= 0 && !j->o->dry_run)
		b->since = clock_of(j->into);
	if (walk(&w, &b->m, e) < 0)
		return -1;
	snprintf(b->root, sizeof(b->root), "%s", b->m->root);
	know(b);
	return 0;
}

/* The manifest of the base is parsed while the wire brings the new one. */
struct reading {
	struct base *b;
	const char *name; /* for messages */
	pthread_t thread;
	bool runs;
	int bad;
	struct err e;
};

static void *
read_manifest(void *arg)
{
	struct reading *r = arg;
	struct base *b = r->b;

	r->bad = manifest_parse(&b->m, b->text, b->seal->manifest.place.raw,
				r->name, &r->e);
	if (r->bad == 0)
		know(b);
	return NULL;
}

static void
begin_reading(struct job *j)
{
	struct reading *r = base_alloc(sizeof(*r));

	r->b = &j->base;
	r->name = j->o->base_record;
	j->base.reading = r;
	r->runs = pthread_create(&r->thread, NULL, read_manifest, r) == 0;
	if (!r->runs)
		read_manifest(r);
}

static int
learn(struct job *j, struct err *e)
{
	const struct pull_opts *o = j->o;
	struct base *b = &j->base;
	int known = 0;

	if (o->base_record)
		known = record_text(o->base_record, o->trust, &b->seal,
				    &b->text, e);
	if (known > 0) {
		b->since = recorded(o->base_record);
		snprintf(b->root, sizeof(b->root), "%s", b->seal->root);
		begin_reading(j);
		return 0;
	}
	if (known < 0 && e->kind == ERR_SYS)
		return -1;
	if (known < 0)
		say_unknown(j, e);
	return look_through(j, e);
}

static int
end_reading(struct base *b, struct err *e)
{
	struct reading *r = STEAL(b->reading);
	int bad;

	if (!r)
		return 0;
	if (r->runs)
		pthread_join(r->thread, NULL);
	bad = r->bad;
	if (bad < 0)
		*e = r->e;
	free(r);
	return bad;
}

const char *
base_text(const struct base *b, size_t *len)
{
	*len = b->text ? b->seal->manifest.place.raw : b->m->text_len;
	return b->text ? b->text : b->m->text;
}

int
base_ready(struct job *j, struct err *e)
{
	if (end_reading(&j->base, e) == 0) {
		free(STEAL(j->base.text));
		return 0;
	}
	say_unknown(j, e);
	seal_free(j->base.seal);
	j->base.seal = NULL;
	j->base.since = (struct timespec){ 0 };
	return look_through(j, e);
}

/* A base is read while the folder is written. */
static bool
is_into(const struct job *j)
{
	struct stat a, b;

	return j->into >= 0 && fstat(j->into, &a) == 0 &&
	       fstat(j->base.fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

int
base_open(struct job *j, struct err *e)
{
	struct base *b = &j->base;

	if (!j->o->base)
		return 0;
	b->fd = open(j->o->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->fd < 0)
		return err_sys(e, "%s", j->o->base);
	if (is_into(j))
		return err_set(
			e, ERR_REFUSED,
			"%s: the base is the folder itself; a version is "
			"built beside the one that is there",
			j->o->base);
	stage_begin(j, "look", 0);
	return learn(j, e);
}

void
base_close(struct base *b)
{
	struct err e = { 0 };

	end_reading(b, &e);
	if (b->fd >= 0)
		close(b->fd);
	seal_free(b->seal);
	if (b->m)
		holders_clear(&b->h);
	manifest_free(b->m);
	free(b->text);
	free(b->state);
	free(b->right);
	free(b->linked);
}

int
base_file(int top, const char *path)
{
	struct stat st;
	int fd = open_beneath(top, path, O_RDONLY | O_NONBLOCK, 0);

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* ---- what patches stand on ---- */

void
base_drifted(struct job *j)
{
	__atomic_add_fetch(&j->r->drifted, 1, __ATOMIC_RELAXED);
}

/* Only looked at: a dry run, or what patches stand on. 1: right. */
int
base_prove_one(struct job *j, int lane, const struct content *c, struct err *e)
{
	struct base *b = &j->base;
	uint32_t at = b->h.first[c->at];

	if (b->state[c->at] != BASE_UNKNOWN)
		return b->state[c->at] == BASE_RIGHT;
	b->state[c->at] = BASE_DRIFTED;
	for (; at != HOLDERS_END; at = b->h.next[at]) {
		const char *path = b->m->entry[at].path;
		AUTO_CLOSE int fd = base_file(b->fd, path);
		struct digest d = { 0 };

		if (fd >= 0 &&
		    place_hash(fd, c->size, j->room[lane], &d, path, e) < 0 &&
		    e->kind != ERR_INPUT)
			return -1;
		if (fd >= 0 && digest_eq(&d, &c->hash)) {
			b->right[c->at] = at;
			b->state[c->at] = BASE_RIGHT;
			return 1;
		}
		base_drifted(j);
	}
	return 0;
}

struct proving {
	struct job *j;
	const struct content **todo;
	size_t len;
};

/* As recorded by stat? Whoever edits a file and puts its time back makes a
 * patch fail, no more. */
static bool
is_likely(struct job *j, const struct content *c, struct err *e)
{
	struct base *b = &j->base;

	if (!b->seal || b->state[c->at] != BASE_UNKNOWN ||
	    stand_stat(b->fd, &b->m->entry[b->right[c->at]], NULL, e) !=
		    STAND_SAME)
		return false;
	b->state[c->at] = BASE_LIKELY;
	return true;
}

static int
prove_one(void *ctx, int lane, size_t i, struct err *e)
{
	struct proving *p = ctx;
	int got = is_likely(p->j, p->todo[i], e)
			  ? 1
			  : base_prove_one(p->j, lane, p->todo[i], e);

	stage_add(p->j, p->todo[i]->size);
	return got < 0 ? -1 : 0;
}

static int
prove_tick(void *ctx, struct err *e)
{
	struct proving *p = ctx;

	return stage_tick(p->j, e);
}

/* Is what the op makes wanted? In a chain it may be wanted by another op. */
static bool
is_wanted(const struct job *j, size_t table, const struct patch_op *op)
{
	const struct content *c = contents_short(j->h.contents, op->new_head);

	if (c && j->want[c->at].state == WANT_MISSING &&
	    !j->want[c->at].linking)
		return true;
	return j->route.chain && table + 1 < j->route.len;
}

static uint64_t
list_proofs(struct proving *p)
{
	struct job *j = p->j;
	size_t d, i, n = contents_len(j->base.h.contents);
	AUTO_FREE bool *listed = base_array(n + 1, sizeof(*listed));
	uint64_t bytes = 0;

	for (d = 0; d < j->route.len; d++)
		for (i = 0; i < j->route.table[d]->ops; i++) {
			const struct patch_op *op = &j->route.table[d]->op[i];
			const struct content *c =
				op->kind == PATCH_WHOLE
					? NULL
					: contents_short(j->base.h.contents,
							 op->old_head);

			if (!c || c->size != op->old_size || listed[c->at] ||
			    j->base.state[c->at] != BASE_UNKNOWN ||
			    !is_wanted(j, d, op))
				continue;
			listed[c->at] = true;
			p->todo[p->len++] = c;
			bytes += c->size;
		}
	return bytes;
}

int
base_prove(struct job *j, struct err *e)
{
	size_t n = j->base.m ? contents_len(j->base.h.contents) : 0;
	AUTO_FREE const struct content **todo =
		base_array(n + 1, sizeof(const struct content *));
	struct proving p = { .j = j, .todo = todo };
	struct lanes_each each = { .threads = j->threads,
				   .work = prove_one,
				   .tick = prove_tick,
				   .ctx = &p };
	int bad;

	if (n == 0)
		return 0;
	stage_begin(j, "look", list_proofs(&p));
	each.count = p.len;
	bad = lanes_each(&each, e);
	stage_end(j);
	return bad;
}

static bool
is_usable(const struct base *b, const struct content *c)
{
	return b->state[c->at] == BASE_RIGHT || b->state[c->at] == BASE_LIKELY;
}

void
base_doubt(struct job *j, const unsigned char head[12])
{
	const struct content *c =
		j->base.m ? contents_short(j->base.h.contents, head) : NULL;

	if (!c || j->base.state[c->at] != BASE_LIKELY)
		return;
	j->base.state[c->at] = BASE_DRIFTED;
	base_drifted(j);
}

bool
base_at_hand(void *job, const unsigned char head[12], uint64_t size)
{
	const struct job *j = job;
	const struct content *c;

	c = j->base.m ? contents_short(j->base.h.contents, head) : NULL;
	if (c && c->size == size && is_usable(&j->base, c))
		return true;
	c = contents_short(j->h.contents, head);
	return c && c->size == size && j->want[c->at].state == WANT_HERE;
}

void
base_temp_name(const unsigned char head[12], char out[32])
{
	size_t i;

	for (i = 0; i < 12; i++)
		snprintf(out + 2 * i, 3, "%02x", head[i]);
}

int
base_content(struct job *j, const unsigned char head[12], uint64_t size,
	     struct err *e)
{
	const struct content *c = contents_short(j->h.contents, head);
	char name[32];
	int fd = -1;

	if (c && c->size == size && j->want[c->at].state == WANT_HERE)
		fd = base_file(j->into, j->m->entry[j->want[c->at].here].path);
	c = j->base.m ? contents_short(j->base.h.contents, head) : NULL;
	if (fd < 0 && c && c->size == size && is_usable(&j->base, c))
		fd = base_file(j->base.fd,
			       j->base.m->entry[j->base.right[c->at]].path);
	base_temp_name(head, name);
	if (fd < 0)
		fd = base_file(j->work, name);
	return fd < 0 ? err_set(e, ERR_INPUT, "what a patch stands on is gone")
		      : fd;
}
