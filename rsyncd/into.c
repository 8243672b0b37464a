/* The folder that is filled: what of it is there and right, and what is done to
 * it besides the contents of files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/file.h"
#include "lib/swaps.h"
#include "rsyncd/job.h"
#include "rsyncd/lanes.h"
#include "rsyncd/stand.h"
#include "rsyncd/place.h"

int
into_open(struct job *j, struct err *e)
{
	const struct pull_opts *o = j->o;

	if (!o->dry_run && dir_make(o->into, 0755, e) < 0)
		return -1;
	j->into = open(o->into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->into < 0 && errno == ENOENT && o->dry_run)
		return 0;
	if (j->into < 0)
		return err_sys(e, "%s", o->into);
	if (flock(j->into, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, ERR_REFUSED,
			       "%s: another pull works on this folder",
			       o->into);
	return 0;
}

/* ---- what is there ---- */

/* A root that is taken up again has the machine's own files already, of which
 * nobody can take this one away. */
static bool
is_swap(const struct job *j, const char *path)
{
	struct stat st;

	return fstatat(j->into, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       swaps_has(&st);
}

static int
meet_stranger(void *ctx, const char *path, struct err *e)
{
	struct job *j = ctx;

	if (j->o->keep || str_eq(path, JOB_WORK))
		return 0;
	if (!j->o->strict)
		return err_set(e, ERR_REFUSED,
			       "%s/%s is not part of %s %s: name another "
			       "folder, or remove what is there (--strict)",
			       j->o->into, path, j->seal->role,
			       j->seal->version);
	return j->o->dry_run || is_swap(j, path)
		       ? 0
		       : place_remove(j->into, path, true, e);
}

/* What is no folder where one is to be; a link may lead to what somebody
 * moved elsewhere. */
static int
clear_for_folder(struct job *j, const struct manifest_entry *x, struct err *e)
{
	if (j->o->strict)
		return place_remove(j->into, x->path, false, e);
	return err_set(e, ERR_REFUSED,
		       "%s/%s is no folder, and should be one: move it away "
		       "(strict: it is removed)",
		       j->o->into, x->path);
}

/* What is in the way and no folder's or file's business to give way to. */
static int
clear_way(struct job *j, const struct manifest_entry *x, struct err *e)
{
	struct stat st;

	if (j->o->dry_run ||
	    fstatat(j->into, x->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (x->type == 'd')
		return clear_for_folder(j, x, e);
	return S_ISDIR(st.st_mode)
		       ? place_remove(j->into, x->path, j->o->strict, e)
		       : 0;
}

static int
hash_here(struct job *j, int lane, size_t i, struct err *e)
{
	const struct manifest_entry *x = &j->m->entry[i];
	AUTO_CLOSE int fd = open_beneath(j->into, x->path, O_RDONLY, 0);
	struct digest d;

	if (fd < 0)
		return err_sys(e, "%s", x->path);
	if (place_hash(fd, x->size, j->room[lane], &d, x->path, e) < 0)
		return e->kind == ERR_INPUT ? 0 : -1;
	stage_add(j, x->size);
	return digest_eq(&d, &x->hash);
}

static int
note_inode(struct job *j, size_t i, struct err *e)
{
	const struct manifest_entry *x = &j->m->entry[i];
	AUTO_CLOSE int fd = open_beneath(j->into, x->path, O_PATH, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", x->path);
	inodes_note(j->inodes, &st, i);
	return 1;
}

struct looking {
	struct job *j;
	struct walk_look *pool[LANES_MAX];
};

static int
look_one(void *ctx, int lane, size_t i, struct err *e)
{
	struct looking *l = ctx;
	struct job *j = l->j;
	const struct manifest_entry *x = &j->m->entry[i];
	int is = stand_entry(l->pool[lane], j->into, x, NULL, e);
	int right = 1;

	if (is < 0)
		return -1;
	if (is == STAND_OTHER)
		return clear_way(j, x, e);
	if (is == STAND_ABSENT)
		return 0;
	if (x->type == 'f' && x->size > 0)
		right = hash_here(j, lane, i, e);
	if (right > 0)
		j->entry[i] = is == STAND_SAME ? ENTRY_DONE : ENTRY_CONTENT;
	if (right > 0 && x->type == 'f')
		right = note_inode(j, i, e);
	return right < 0 ? -1 : 0;
}

/* Two files of the tree that are one here: the second is made anew. */
static void
part(void *ctx, size_t entry)
{
	struct job *j = ctx;

	j->entry[entry] = ENTRY_CONTENT;
}

static int
look_tick(void *ctx, struct err *e)
{
	struct looking *l = ctx;

	return stage_tick(l->j, e);
}

static bool
is_empty(const struct job *j)
{
	char **names = dir_names(j->o->into);
	size_t i, n = !names && errno != ENOENT; /* nobody knows */

	for (i = 0; names && names[i]; i++)
		n += !str_eq(names[i], "lost+found") &&
		     !str_eq(names[i], JOB_WORK);
	names_free(names);
	return n == 0;
}

/* Contents that an entry was found to hold. */
static void
note_wants(struct job *j)
{
	size_t i;

	for (i = 0; i < j->m->len; i++) {
		const struct manifest_entry *x = &j->m->entry[i];
		struct want *w;

		if (x->type != 'f' || x->size == 0 ||
		    j->entry[i] == ENTRY_ABSENT)
			continue;
		w = &j->want[contents_find(j->h.contents, &x->hash)->at];
		if (w->state != WANT_HERE)
			w->here = (uint32_t)i;
		w->state = WANT_HERE;
	}
}

int
into_through(struct job *j, struct err *e)
{
	struct looking l = { .j = j };
	struct lanes_each each = { j->threads, j->m->len, look_one, look_tick,
				   &l };
	int i, bad;

	if (manifest_find(j->m, JOB_WORK))
		return err_set(e, ERR_REFUSED, "the tree holds " JOB_WORK);
	if (j->into < 0 || is_empty(j))
		return 0;
	if (!j->o->dry_run && place_remove(j->into, JOB_WORK, true, e) < 0)
		return -1;
	if (stand_strangers(j->into, j->m, meet_stranger, j, e) < 0)
		return -1;
	for (i = 0; i < j->threads; i++)
		l.pool[i] = walk_look_new();
	j->inodes = inodes_new(j->m->len);
	stage_begin(j, "look", j->m->bytes);
	bad = lanes_each(&each, e);
	stage_end(j);
	for (i = 0; i < j->threads; i++)
		walk_look_free(l.pool[i]);
	if (bad == 0) {
		inodes_joined(j->inodes, part, j);
		note_wants(j);
	}
	return bad;
}

/* ---- folders, links, devices ---- */

int
into_folders(struct job *j, struct err *e)
{
	size_t i;

	for (i = 1; i < j->m->len; i++) {
		const struct manifest_entry *x = &j->m->entry[i];

		if (x->type != 'd' || j->entry[i] != ENTRY_ABSENT)
			continue;
		if (aside_stopped(j))
			return err_set(e, ERR_SYS, "stopped");
		if (place_make(j->into, x, e) < 0)
			return -1;
		j->entry[i] = ENTRY_CONTENT;
	}
	if (mkdirat(j->into, JOB_WORK, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "%s/" JOB_WORK, j->o->into);
	j->work = open_beneath(j->into, JOB_WORK, O_RDONLY | O_DIRECTORY, 0);
	return j->work < 0 ? err_sys(e, "%s/" JOB_WORK, j->o->into) : 0;
}

/* A file whose bytes are right, or an empty one. */
static int
finish_file(struct job *j, size_t i, struct err *e)
{
	const struct manifest_entry *x = &j->m->entry[i];
	int fd;

	if (j->entry[i] == ENTRY_CONTENT &&
	    x->size > 0) { /* attributes too many: it is easier anew */
		struct place_from from = { .room = j->room[0],
					   .reflink = true };
		struct digest d;

		from.fd = open_beneath(j->into, x->path, O_RDONLY, 0);
		fd = from.fd;
		if (fd < 0)
			return err_sys(e, "%s", x->path);
		if (place_copy(j->into, x, &from, &d, e) < 0) {
			close(fd);
			return -1;
		}
		close(fd);
		return digest_eq(&d, &x->hash)
			       ? 0
			       : err_set(e, ERR_SYS, "%s: it changed meanwhile",
					 x->path);
	}
	fd = place_open(j->into, x->path, e);
	return fd < 0 ? -1 : place_close(fd, x, e);
}

/* Empty files, and what is neither file nor folder; but hard links, which want
 * what they lead to. */
int
into_others(struct job *j, struct err *e)
{
	size_t i;

	for (i = 0; i < j->m->len; i++) {
		const struct manifest_entry *x = &j->m->entry[i];
		const bool empty = x->type == 'f' && x->size == 0;

		if (j->entry[i] == ENTRY_DONE || x->type == 'd' ||
		    x->type == 'h' || (x->type == 'f' && !empty))
			continue;
		if (aside_stopped(j))
			return err_set(e, ERR_SYS, "stopped");
		if ((empty ? finish_file(j, i, e) : place_make(j->into, x, e)) <
		    0)
			return -1;
		j->entry[i] = ENTRY_DONE;
	}
	return 0;
}

static int
finish_files(struct job *j, struct err *e)
{
	size_t i;

	for (i = 0; i < j->m->len; i++) {
		const struct manifest_entry *x = &j->m->entry[i];

		if (x->type != 'f' || j->entry[i] == ENTRY_DONE)
			continue;
		if (j->entry[i] == ENTRY_ABSENT && x->size > 0)
			return err_set(e, ERR_PEER, "%s: nothing holds it",
				       x->path);
		if (finish_file(j, i, e) < 0)
			return -1;
		j->entry[i] = ENTRY_DONE;
	}
	return 0;
}

/* A hard link that would lead to another file system is a copy there. */
static int
make_link(struct job *j, const struct manifest_entry *x, struct err *e)
{
	const struct manifest_entry *target;
	struct manifest_entry copy;
	struct place_from from = { .room = j->room[0] };
	struct digest d;
	AUTO_CLOSE int fd = -1;

	if (place_make(j->into, x, e) == 0)
		return 0;
	target = x->type == 'h' ? manifest_find(j->m, x->link) : NULL;
	if (!target || errno != EXDEV)
		return -1;
	*e = (struct err){ 0 };
	copy = *target;
	copy.path = x->path;
	if (copy.type != 'f')
		return place_make(j->into, &copy, e);
	from.fd = fd = open_beneath(j->into, target->path, O_RDONLY, 0);
	if (fd < 0)
		return err_sys(e, "%s", target->path);
	if (place_copy(j->into, &copy, &from, &d, e) < 0)
		return -1;
	return digest_eq(&d, &target->hash)
		       ? 0
		       : err_set(e, ERR_SYS, "%s: it changed meanwhile",
				 target->path);
}

/* Some entries, by all lanes. */
struct finish {
	struct job *j;
	size_t *entry, n;
	int (*one)(struct job *j, const struct manifest_entry *x,
		   struct err *e);
};

static int
finish_one(void *ctx, int lane, size_t i, struct err *e)
{
	struct finish *f = ctx;

	(void)lane;
	return f->one(f->j, &f->j->m->entry[f->entry[i]], e);
}

static int
finish_each(struct finish *f, struct err *e)
{
	struct lanes_each each = { .threads = f->j->threads,
				   .count = f->n,
				   .work = finish_one,
				   .ctx = f };

	return f->n > 0 ? lanes_each(&each, e) : 0;
}

/* Hard links last: what they lead to is there then. Those to a file that was
 * made anew lead to the old one. */
static int
finish_links(struct job *j, struct err *e)
{
	size_t i;

	for (i = 0; i < j->m->len; i++) {
		const struct manifest_entry *x = &j->m->entry[i];

		if (x->type != 'h' ||
		    (j->entry[i] == ENTRY_DONE && stand_linked(j->into, x)))
			continue;
		if (make_link(j, x, e) < 0)
			return -1;
	}
	return 0;
}

/* Each file system on which the tree has folders. */
static int
sync_all(struct job *j, struct err *e)
{
	dev_t seen[16];
	size_t i, k, n = 0;

	for (i = 0; i < j->m->len; i++) {
		AUTO_CLOSE int fd = -1;
		struct stat st;

		if (j->m->entry[i].type != 'd' ||
		    fstatat(j->into, j->m->entry[i].path, &st,
			    AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		for (k = 0; k < n && seen[k] != st.st_dev; k++)
			;
		if (k < n)
			continue;
		if (n == ARRAY_LEN(seen)) { /* so many that it is all */
			sync();
			return 0;
		}
		seen[n++] = st.st_dev;
		fd = open_beneath(j->into, j->m->entry[i].path,
				  O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0 || syncfs(fd) < 0)
			return err_sys(e, "make %s/%s durable", j->o->into,
				       j->m->entry[i].path);
	}
	return 0;
}

/* Some file systems that may be mounted here know no owners and modes (an EFI
 * partition): what their top folder is, they say. */
static int
dress_folder(struct job *j, const struct manifest_entry *x, struct err *e)
{
	struct stat in, st;
	int why;

	if (place_dress(j->into, x, e) == 0)
		return 0;
	why = errno;
	if ((why != EPERM && why != EOPNOTSUPP && why != EINVAL) ||
	    fstat(j->into, &in) < 0 ||
	    fstatat(j->into, x->path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_dev == in.st_dev)
		return -1;
	*e = (struct err){ 0 };
	return 0;
}

/* Folders that their owner may go through first, in any order; then the others,
 * those that are deeper before those that they are in. */
static int
dress_folders(struct job *j, struct err *e)
{
	AUTO_FREE size_t *list = base_array(j->m->len + 1, sizeof(*list));
	struct finish f = { .j = j, .entry = list, .one = dress_folder };
	const struct manifest_entry *x = j->m->entry;
	size_t i;

	for (i = 0; i < j->m->len; i++)
		if (x[i].type == 'd' && (x[i].mode & 0700) == 0700)
			list[f.n++] = i;
	if (finish_each(&f, e) < 0)
		return -1;
	for (i = j->m->len; i-- > 0;)
		if (x[i].type == 'd' && (x[i].mode & 0700) != 0700 &&
		    dress_folder(j, &x[i], e) < 0)
			return -1;
	return 0;
}

int
into_finish(struct job *j, struct err *e)
{
	if (finish_files(j, e) < 0 || finish_links(j, e) < 0)
		return -1;
	if (place_remove(j->into, JOB_WORK, true, e) < 0 ||
	    dress_folders(j, e) < 0)
		return -1;
	stage_begin(j, "sync", 0);
	if (sync_all(j, e) < 0)
		return -1;
	stage_end(j);
	return 0;
}
