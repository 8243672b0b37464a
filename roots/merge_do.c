/* The merged folder is built beside the one it replaces, so that whatever fails
 * leaves the new root as it was published. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/file.h"
#include "lib/remove.h"

#include "rsyncd/dress.h"

#include "roots/accounts.h"
#include "roots/copy.h"
#include "roots/merge_do.h"

struct building {
	const struct merge_job *job;
	int ours, theirs; /* roots */
	int out;          /* the folder that is built */
};

/* `path` as it is called below the folder that is built; "." for it itself. */
static const char *
inside(const struct building *b, const char *path)
{
	size_t len = strlen(b->job->prefix);

	return path[len] ? path + len + 1 : ".";
}

/* ---- accounts ---- */

/* "" when there is none. */
static int
read_text(const char *top, const char *path, char **text, struct err *e)
{
	AUTO_FREE char *whole = base_printf("%s/%s", top, path);

	if (top && file_exists(whole))
		return file_read(whole, ACCOUNTS_TEXT_MAX, text, NULL, e);
	*text = base_strdup("");
	return 0;
}

static int
write_lines(const struct building *b, int parent, const char *base,
	    const struct merge_row *r, struct err *e)
{
	const char *name = strrchr(r->path, '/') + 1;
	AUTO_FREE char *was = NULL;
	AUTO_FREE char *ours = NULL;
	AUTO_FREE char *theirs = NULL;
	AUTO_FREE char *text = NULL;
	AUTO_CLOSE int fd = -1;

	if (read_text(b->job->bases, name, &was, e) < 0 ||
	    read_text(b->job->ours, r->path, &ours, e) < 0 ||
	    read_text(b->job->theirs, r->path, &theirs, e) < 0 ||
	    accounts_merge(r->path, was, ours, theirs, &text, e) < 0)
		return -1;
	fd = openat(parent, base,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "create /%s", r->path);
	if (fd_write_all(fd, text, strlen(text), e) < 0)
		return err_add(e, "/%s", r->path);
	return dress_fd(fd, &r->look, e);
}

/* ---- rows ---- */

static int
put(const struct building *b, const struct merge_row *r, enum merge_from from,
    const char *name, struct err *e)
{
	int source = from == MERGE_THEIRS ? b->theirs : b->ours;
	const char *base;
	AUTO_CLOSE int parent = open_parent(b->out, name, &base, e);

	if (parent < 0)
		return -1;
	if (from == MERGE_LINES)
		return write_lines(b, parent, base, r, e);
	if (r->look.type == 'f')
		return copy_file(source, parent, base, &r->look, e);
	return dress_make(parent, base, &r->look, e);
}

/* The version's own, beside what stays. */
static int
put_beside(const struct building *b, const struct merge_row *r, struct err *e)
{
	AUTO_FREE char *name =
		base_printf("%s" MERGE_BESIDE, inside(b, r->path));
	struct merge_row theirs = *r;

	theirs.look = *r->theirs;
	theirs.look.path = r->path;
	return put(b, &theirs, MERGE_THEIRS, name, e);
}

static int
make_row(const struct building *b, const struct merge_row *r, struct err *e)
{
	const char *name = inside(b, r->path);

	if (r->content != MERGE_NONE && r->look.type == 'd') {
		if (!str_eq(name, ".") && mkdirat(b->out, name, 0700) < 0)
			return err_sys(e, "create /%s", r->path);
	} else if (r->content != MERGE_NONE) {
		if (put(b, r, r->content, name, e) < 0)
			return -1;
	}
	return r->beside ? put_beside(b, r, e) : 0;
}

/* Folders last, from the innermost: what is put into one moves its time. */
static int
dress_folders(const struct building *b, struct err *e)
{
	size_t i;

	for (i = b->job->plan->len; i-- > 0;) {
		const struct merge_row *r = &b->job->plan->row[i];
		AUTO_CLOSE int fd = -1;

		if (r->content == MERGE_NONE || r->look.type != 'd')
			continue;
		fd = open_beneath(b->out, inside(b, r->path),
				  O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return err_sys(e, "/%s", r->path);
		if (dress_fd(fd, &r->look, e) < 0)
			return -1;
	}
	return 0;
}

static int
build(const struct building *b, struct err *e)
{
	size_t i;

	for (i = 0; i < b->job->plan->len; i++)
		if (make_row(b, &b->job->plan->row[i], e) < 0)
			return -1;
	return dress_folders(b, e);
}

/* ---- the exchange ---- */

static int
settle(const char *fresh, const char *place, struct err *e)
{
	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, place, RENAME_EXCHANGE) == 0)
		return remove_locked(AT_FDCWD, fresh, fresh, e);
	if (errno == ENOENT && rename(fresh, place) == 0)
		return 0;
	return err_sys(e, "%s", place);
}

int
merge_run(const struct merge_job *job, struct err *e)
{
	AUTO_FREE char *place = base_printf("%s/%s", job->to, job->prefix);
	AUTO_FREE char *fresh = base_printf("%s" MERGE_SUFFIX, place);
	AUTO_CLOSE int ours = open(job->ours, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int theirs =
		open(job->theirs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int out = -1;
	struct err ignored;

	if (ours < 0 || theirs < 0)
		return err_sys(e, "%s", ours < 0 ? job->ours : job->theirs);
	if (remove_locked(AT_FDCWD, fresh, fresh, e) < 0)
		return -1;
	if (mkdir(fresh, 0700) < 0)
		return err_sys(e, "%s", fresh);
	out = open(fresh, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out < 0)
		return err_sys(e, "%s", fresh);
	if (build(&(struct building){ job, ours, theirs, out }, e) == 0 &&
	    settle(fresh, place, e) == 0)
		return 0;
	remove_locked(AT_FDCWD, fresh, fresh, &ignored);
	return -1;
}
