/* What every entry obeys, whether it was read or is about to be written: so
 * that what a publisher makes is what a client takes, and a client meets no
 * path that leads out of its tree. */
#include <string.h>

#include "rsyncd/manifest_form.h"

#define NAME_BYTES_MAX 255

void
manifest_check_begin(struct manifest_check *c, const struct manifest *m)
{
	c->m = m;
	c->bytes = 0;
	c->depth = 0;
}

static const char *
path_wrong(const char *path)
{
	const char *part = path, *end;

	if (strnlen(path, MANIFEST_PATH_MAX + 1) > MANIFEST_PATH_MAX)
		return "the path is too long";
	do {
		size_t len;

		end = strchrnul(part, '/');
		len = (size_t)(end - part);
		if (len == 0)
			return "a part of the path is empty";
		if (len > NAME_BYTES_MAX)
			return "a name in the path is too long";
		if (part[0] == '.' &&
		    (len == 1 || (len == 2 && part[1] == '.')))
			return "the path has a part \".\" or \"..\"";
		part = end + 1;
	} while (*end);
	return NULL;
}

/* Entries of a directory follow it with nothing else between, so those above
 * the next one are among those above the last one. */
static const char *
parent_wrong(struct manifest_check *c, const struct manifest_entry *x)
{
	const char *slash = strrchr(x->path, '/');
	size_t len = slash ? (size_t)(slash - x->path) : 0;

	while (c->depth > 1 && strlen(c->above[c->depth - 1]->path) > len)
		c->depth--;
	if (len == 0)
		c->depth = 1;
	else if (c->depth < 2 || strlen(c->above[c->depth - 1]->path) != len ||
		 memcmp(c->above[c->depth - 1]->path, x->path, len) != 0)
		return "the directory that it is in is missing above it";
	return NULL;
}

static const char *
place_wrong(struct manifest_check *c, size_t i)
{
	const struct manifest_entry *x = &c->m->entry[i];
	const char *wrong;
	int order;

	if (i == 0) {
		if (x->type != 'd' || strcmp(x->path, ".") != 0)
			return "the first entry is not the directory \".\"";
		c->above[c->depth++] = x;
		return NULL;
	}
	wrong = path_wrong(x->path);
	if (wrong)
		return wrong;
	order = manifest_path_cmp(x[-1].path, x->path);
	if (order >= 0)
		return order ? "the path should stand further above"
			     : "the path is there twice";
	wrong = parent_wrong(c, x);
	if (!wrong && x->type == 'd')
		c->above[c->depth++] = x;
	return wrong;
}

static const char *
xattrs_wrong(const struct manifest_entry *x)
{
	size_t bytes = 0, i;

	if (x->xattrs_len > MANIFEST_XATTRS_MAX)
		return "too many extended attributes";
	if (x->xattrs_len > 0 && x->type == 'h')
		return "a hard link has no attributes of its own";
	for (i = 0; i < x->xattrs_len; i++) {
		size_t name = strlen(x->xattrs[i].name);

		if (name == 0 || name > NAME_BYTES_MAX)
			return "the name of an extended attribute is empty or "
			       "too long";
		if (i > 0 &&
		    strcmp(x->xattrs[i - 1].name, x->xattrs[i].name) >= 0)
			return "extended attributes are not in order";
		if (x->xattrs[i].len > MANIFEST_XATTR_BYTES_MAX - name)
			return "extended attributes are too large";
		bytes += name + x->xattrs[i].len;
	}
	return bytes > MANIFEST_XATTR_BYTES_MAX
		       ? "extended attributes are too large"
		       : NULL;
}

static const char *
file_wrong(struct manifest_check *c, const struct manifest_entry *x)
{
	struct digest empty;

	if (x->size > INT64_MAX ||
	    __builtin_add_overflow(c->bytes, x->size, &c->bytes))
		return "sizes add up to too much";
	if (x->sparse && x->size < SPARSE_RUN)
		return "a file that small cannot be sparse";
	if (x->size > 0)
		return NULL;
	digest_of("", 0, &empty);
	return digest_eq(&x->hash, &empty)
		       ? NULL
		       : "the hash is not that of an empty file";
}

static const char *
link_wrong(const struct manifest_check *c, const struct manifest_entry *x)
{
	const struct manifest_entry *to;

	if (!x->link || !*x->link ||
	    strnlen(x->link, MANIFEST_PATH_MAX + 1) > MANIFEST_PATH_MAX)
		return "a link's text is empty or too long";
	if (x->type == 'l')
		return NULL;
	to = manifest_find_in(c->m, (size_t)(x - c->m->entry), x->link);
	if (!to)
		return "a hard link to something that is not above it";
	return to->type == 'd' || to->type == 'h'
		       ? "a hard link to a directory or to a hard link"
		       : NULL;
}

static const char *
numbers_wrong(const struct manifest_entry *x)
{
	if (x->mode > 07777)
		return "the mode is no mode";
	if (x->uid > ID_MAX || x->gid > ID_MAX)
		return "the owner's number is too high";
	if (x->mtime_s > TIME_S_MAX || x->mtime_s < -TIME_S_MAX ||
	    x->mtime_ns > 999999999)
		return "the time is too far away";
	if (x->major > MAJOR_MAX || x->minor > MINOR_MAX)
		return "the device number is too high";
	return NULL;
}

const char *
manifest_check_entry(struct manifest_check *c, size_t i)
{
	const struct manifest_entry *x = &c->m->entry[i];
	const char *wrong = place_wrong(c, i);

	if (!wrong)
		wrong = numbers_wrong(x);
	if (!wrong && x->type == 'f')
		wrong = file_wrong(c, x);
	if (!wrong && (x->type == 'l' || x->type == 'h'))
		wrong = link_wrong(c, x);
	return wrong ? wrong : xattrs_wrong(x);
}
