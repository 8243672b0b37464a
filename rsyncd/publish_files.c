/* The files of a version, each written to the work folder and then called by
 * its hash. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/frame.h"
#include "rsyncd/publish_parts.h"

#define PART "part" /* the name of what has none yet */
#define MANIFEST_LEVEL 9

int
part_begin(const struct publishing *p, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/" PART, p->work);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 ? err_sys(e, "create %s", path) : fd;
}

/* Its own folder is that of the version, whatever it is called now. */
static int
name_part(struct publishing *p, const char *name, uint64_t size,
	  struct seal_file *out, struct err *e)
{
	AUTO_FREE char *from = base_printf("%s/" PART, p->work);
	AUTO_FREE char *to = base_printf("%s/%s", p->work, name);

	if (chmod(from, 0644) < 0 || rename(from, to) < 0)
		return err_sys(e, "rename %s to %s", from, to);
	snprintf(out->path, sizeof(out->path), "%s/%s/%s", p->o->role,
		 p->o->version, name);
	p->result->packed += size;
	return 0;
}

int
part_end(struct publishing *p, int fd, const char *head, const char *tail,
	 const struct table_place *place, struct seal_file *out, struct err *e)
{
	AUTO_FREE char *name = NULL;
	char hex[HASH_HEX];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat %s", p->work);
	if ((uint64_t)st.st_size != place->size)
		return err_set(e, ERR_SYS, "%s: written short", p->work);
	*out = (struct seal_file){ .place = *place };
	digest_hex(&place->hash, hex);
	name = base_printf("%s-%s%s", head, hex, tail);
	return name_part(p, name, place->size, out, e);
}

int
part_manifest(struct publishing *p, struct err *e)
{
	struct table_place *place = &p->seal->manifest.place;
	AUTO_FREE char *name = base_printf("manifest-%s.zst", p->made->root);
	AUTO_CLEAR(buf) frame = { 0 };
	AUTO_CLOSE int fd = part_begin(p, e);

	if (fd < 0)
		return -1;
	frame_pack_text(MANIFEST_LEVEL, p->made->text, p->made->text_len,
			&frame);
	if (fd_write_all(fd, frame.at, frame.len, e) < 0)
		return err_add(e, "%s", name);
	*place = (struct table_place){ .size = frame.len,
				       .raw = p->made->text_len };
	digest_of(frame.at, frame.len, &place->hash);
	return name_part(p, name, frame.len, &p->seal->manifest, e);
}

/* ---- deltas ---- */

static int
write_delta(struct publishing *p, const struct shelf_version *old,
	    const struct patch_opts *opts, struct err *e)
{
	struct seal_file f = { 0 };
	struct patch_counts counts = { 0 };
	AUTO_FREE char *head = base_printf("from-%s", old->name);
	AUTO_CLOSE int fd = part_begin(p, e);

	if (fd < 0 || patch_write(opts, fd, &f.place, &counts, e) < 0)
		return -1;
	if (part_end(p, fd, head, ".delta", &f.place, &f, e) < 0)
		return -1;
	snprintf(f.from_version, sizeof(f.from_version), "%s", old->name);
	snprintf(f.from_root, sizeof(f.from_root), "%s", shelf_seal(old)->root);
	p->seal->delta =
		base_resize(p->seal->delta, p->seal->deltas + 1, sizeof(f));
	p->seal->delta[p->seal->deltas++] = f;
	return 0;
}

/* Somebody was in the old version's folder. A delta is what a client can do
 * without; the version is published. */
static int
drop_part(const struct publishing *p, const struct shelf_version *old,
	  struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/" PART, p->work);

	publish_say(p, "no delta from %s: %s", old->name, e->text);
	*e = (struct err){ 0 };
	if (unlink(path) < 0)
		return err_sys(e, "remove %s", path);
	return 0;
}

int
part_delta(struct publishing *p, const struct shelf_version *old, int dirfd,
	   bool thorough, struct err *e)
{
	AUTO_FREE char *view = base_printf("%s/install/%s/%s", p->o->top,
					   old->name, p->o->role);
	AUTO_CLOSE int old_dirfd = open(view, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(manifest) m = NULL;
	struct patch_opts opts = { .new = p->made,
				   .old_dirfd = old_dirfd,
				   .new_dirfd = dirfd,
				   .thorough = thorough,
				   .threads = p->o->threads,
				   .tmp = p->work,
				   .progress = publish_progress,
				   .ctx = p };

	p->stage = "delta";
	if (old_dirfd < 0) {
		publish_say(p, "no delta from %s: %s is not there", old->name,
			    view);
		return 0;
	}
	if (shelf_manifest(p->shelf->trees, shelf_seal(old), &m, e) < 0)
		return -1;
	opts.old = m;
	opts.level = p->o->level
			     ? p->o->level
			     : (thorough ? PUBLISH_LEVEL_BEST : PUBLISH_LEVEL);
	if (write_delta(p, old, &opts, e) == 0)
		return 0;
	if (e->kind == ERR_REFUSED)
		return drop_part(p, old, e);
	return err_add(e, "delta from %s", old->name);
}

int
part_deltas(struct publishing *p, int dirfd, struct err *e)
{
	size_t left = p->o->deltas < 0 ? PUBLISH_DELTAS : (size_t)p->o->deltas;
	size_t i;

	for (i = p->shelf->len; i-- > 0 && left > 0; left--)
		if (part_delta(p, &p->shelf->at[i], dirfd, false, e) < 0)
			return -1;
	return 0;
}

int
part_marks(struct publishing *p, int dirfd, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/" PART, p->work);
	struct table_place place = { 0 };
	AUTO_CLOSE int fd = part_begin(p, e);

	p->stage = "marks";
	publish_progress(p, 0, 0);
	if (fd < 0 || mark_write(p->made, dirfd, PUBLISH_LEVEL, p->o->threads,
				 fd, &place, e) < 0)
		return -1;
	if (place.size == 0) {
		unlink(path);
		return 0;
	}
	return part_end(p, fd, "marks", ".pack", &place, &p->seal->marks, e);
}
