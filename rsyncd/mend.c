/* A large file that has drifted is mostly right. Its published signature tells
 * which parts are at hand; of the rest only the frames are fetched that have
 * some of it. What was found is no proof: the file is hashed when it is whole,
 * and fetched as any other when that fails. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/beneath.h"
#include "rsyncd/delta.h"
#include "rsyncd/fetch.h"
#include "rsyncd/place.h"
#include "rsyncd/take.h"

/* Files open at once for this; others are fetched. */
#define MENDS_MAX 64

/* ---- what is at hand ---- */

struct looking {
	struct job *j;
	struct mark_table *marks;
	struct mending *m;
	size_t open;
};

/* More than one frame, or nothing is saved. */
static bool
is_large(const struct job *j, const struct plan_want *w)
{
	const struct pack_table *t = j->pack[w->pack];
	const struct pack_blob *b = &t->blob[w->blob];

	return w->size >= MARK_SIZE_MIN &&
	       plan_frame_at(t, b->at) + 1 <
		       plan_frame_at(t, b->at + b->size - 1) + 1;
}

/* A file of the base at a path that the content is to have. */
static int
candidate(const struct job *j, size_t content, uint64_t *size)
{
	uint32_t at = j->h.first[content];

	for (; at != HOLDERS_END; at = j->h.next[at]) {
		int fd = open_beneath(j->base.fd, j->m->entry[at].path,
				      O_RDONLY | O_NONBLOCK, 0);
		struct stat st;

		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_size >= (off_t)MARK_SIZE_MIN) {
			*size = (uint64_t)st.st_size;
			return fd;
		}
		close(fd);
	}
	return -1;
}

static int
signature(struct job *j, const struct mark *k, char **text, struct err *e)
{
	struct fetch_piece piece = { k->piece.at, k->piece.size,
				     &k->piece.hash };
	AUTO_CLEAR(buf) frame = { 0 };

	if (fetch_one(j->src, j->seal->marks.path, &piece, &frame, e) < 0)
		return -1;
	return frame_unpack_text(frame.at, frame.len, k->piece.raw, text, e);
}

static void
keep_runs(struct mending *m, size_t i, struct plan_want *w, int fd,
	  const struct delta_run *run, size_t n)
{
	struct plan_part *theirs = base_array(n + 1, sizeof(*theirs));
	struct plan_part *ours = base_array(n + 1, sizeof(*ours));
	size_t k, len = 0;

	for (k = 0; k < n; k++) {
		struct plan_part *last = len > 0 ? &theirs[len - 1] : NULL;

		if (run[k].theirs > w->size ||
		    run[k].len > w->size - run[k].theirs)
			continue;
		if (last && last->at + last->len == run[k].theirs &&
		    ours[len - 1].at + ours[len - 1].len == run[k].ours) {
			last->len += run[k].len;
			ours[len - 1].len += run[k].len;
			continue;
		}
		theirs[len] = (struct plan_part){ run[k].theirs, run[k].len };
		ours[len++] = (struct plan_part){ run[k].ours, run[k].len };
	}
	w->part = m->part[i] = theirs;
	w->parts = len;
	m->from[i].ours = ours;
	m->from[i].fd = fd;
}

/* Nothing found, or nothing to find it by, is no failure. */
static int
look_one(struct looking *l, struct plan_want *w, size_t content, size_t i,
	 struct err *e)
{
	const struct mark *k = mark_find(l->marks, w->head);
	AUTO_FREE char *text = NULL;
	AUTO_FREE struct delta_run *run = NULL;
	uint64_t size = 0;
	size_t n = 0;
	AUTO_CLOSE int fd = -1;
	int found;

	if (!k || k->new_size != w->size)
		return 0;
	fd = candidate(l->j, content, &size);
	if (fd < 0)
		return 0;
	if (signature(l->j, k, &text, e) < 0)
		return e->kind == ERR_REFUSED ? -1 : 0;
	if (delta_find(text, k->piece.raw, w->size, fd, size, &run, &n, e) < 0)
		return e->kind == ERR_SYS ? -1 : 0;
	if (n == 0)
		return 0;
	found = fd;
	fd = -1;
	keep_runs(l->m, i, w, found, run, n);
	l->open++;
	return 0;
}

int
mend_look(struct job *j, struct plan_want *wants, const size_t *content,
	  size_t n, struct mending *m, struct err *e)
{
	struct looking l = { .j = j, .m = m };
	size_t i;
	int bad = 0;

	m->wants = n;
	m->part = base_array(n + 1, sizeof(struct plan_part *));
	m->from = base_array(n + 1, sizeof(*m->from));
	for (i = 0; i < n; i++)
		m->from[i].fd = -1;
	for (i = 0; bad == 0 && i < n && l.open < MENDS_MAX; i++) {
		if (wants[i].way != PLAN_FRAMES || j->base.fd < 0 ||
		    wants[i].no_patch || !is_large(j, &wants[i]))
			continue;
		if (!l.marks && release_marks(j, &l.marks, e) < 0)
			bad = e->kind == ERR_REFUSED ? -1 : 0;
		if (!l.marks)
			break;
		bad = look_one(&l, &wants[i], content[i], i, e);
	}
	mark_table_free(l.marks);
	m->found = l.open;
	return bad;
}

void
mend_clear(struct mending *m)
{
	size_t i;

	for (i = 0; i < m->wants; i++) {
		free(m->part[i]);
		free(m->from[i].ours);
		if (m->from[i].fd >= 0)
			close(m->from[i].fd);
	}
	free(m->part);
	free(m->from);
	*m = (struct mending){ 0 };
}

/* ---- making it ---- */

static int
copy_part(struct job *j, int from, const struct coming *c,
	  const struct plan_part *ours, const struct plan_part *theirs,
	  struct err *e)
{
	const struct manifest_entry *x = &j->m->entry[c->entry];
	uint64_t done = 0;

	while (done < theirs->len) {
		size_t want = theirs->len - done < PLACE_ROOM
				      ? theirs->len - done
				      : PLACE_ROOM;
		ssize_t n =
			pread(from, j->room[0], want, (off_t)(ours->at + done));
		struct place_bytes b = { j->room[0], (size_t)n,
					 theirs->at + done, x->sparse };

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* shorter now: the whole hash will tell */
			return 0;
		if (place_write(c->fd, &b, x->path, e) < 0)
			return -1;
		done += (uint64_t)n;
	}
	return 0;
}

/* Bytes that frames are to bring. */
static uint64_t
bytes_to_come(const struct job *j, const struct plan_want *w)
{
	const struct pack_table *t = j->pack[w->pack];
	const struct pack_blob *b = &t->blob[w->blob];
	uint64_t sum = 0, from, to;
	size_t i;

	for (i = plan_frame_at(t, b->at);
	     i < t->frames && t->frame[i].raw_at < b->at + b->size; i++) {
		if (!plan_lacks(w, &t->frame[i], b->at))
			continue;
		plan_overlap(&t->frame[i], b->at, b->size, &from, &to);
		sum += to - from;
	}
	return sum;
}

static int
begin_one(struct take *t, const struct mending *m, size_t i, struct err *e)
{
	struct job *j = t->j;
	size_t content = t->content[i], k;
	struct coming *c = base_alloc(sizeof(*c));
	const struct manifest_entry *x;

	t->coming[content] = c;
	c->by_reading = true;
	c->entry = take_place(j, content);
	c->left = bytes_to_come(j, &t->want[i]);
	x = &j->m->entry[c->entry];
	c->fd = place_open(j->into, x->path, e);
	if (c->fd < 0)
		return -1;
	if (ftruncate(c->fd, (off_t)x->size) < 0) /* it may end in a hole */
		return err_sys(e, "%s", x->path);
	for (k = 0; k < t->want[i].parts; k++)
		if (copy_part(j, m->from[i].fd, c, &m->from[i].ours[k],
			      &m->part[i][k], e) < 0)
			return -1;
	return 0;
}

int
mend_begin(struct take *t, const struct mending *m, struct err *e)
{
	size_t i;

	for (i = 0; i < m->wants; i++) {
		if (!m->part[i] || t->want[i].way != PLAN_FRAMES)
			continue;
		if (begin_one(t, m, i, e) < 0)
			return -1;
		if (t->coming[t->content[i]]->left == 0 &&
		    mend_finish(t, 0, t->content[i], e) < 0)
			return -1;
	}
	return 0;
}

/* It is whole: is it right? If not, it is fetched without what was at hand. */
int
mend_finish(struct take *t, int lane, size_t content, struct err *e)
{
	struct job *j = t->j;
	struct coming *c = t->coming[content];
	const struct manifest_entry *x = &j->m->entry[c->entry];
	struct digest d = { 0 };
	int fd = c->fd;

	if (place_hash(fd, x->size, j->room[lane], &d, x->path, e) < 0 &&
	    e->kind != ERR_INPUT)
		return -1;
	if (!digest_eq(&d, &x->hash)) {
		*e = (struct err){ 0 };
		lanes_lock(t->lanes);
		c->failed = true;
		j->want[content].no_patch = true;
		lanes_wake(t->lanes);
		return place_remove(j->into, x->path, false, e);
	}
	c->fd = -1;
	if (place_close(fd, x, e) < 0)
		return -1;
	__atomic_add_fetch(&j->r->marks, 1, __ATOMIC_RELAXED);
	return take_here(t, lane, content, c->entry, e);
}
