/* The fence of libarchive. It knows each dialect of tar that tar has spoken
 * since 2013, and writes beneath one folder only. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/tree_archive.h"

#define BLOCK (256 * 1024)
#define FLAGS                                                                  \
	(ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_TIME | \
	 ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_ACL |                         \
	 ARCHIVE_EXTRACT_UNLINK | ARCHIVE_EXTRACT_SECURE_NODOTDOT |            \
	 ARCHIVE_EXTRACT_SECURE_SYMLINKS |                                     \
	 ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS)

static int
refuse_read(struct archive *in, struct err *e)
{
	return err_set(e, ERR_INPUT, "the archive cannot be read: %s",
		       archive_error_string(in));
}

static int
refuse_write(struct archive *out, const char *path, struct err *e)
{
	return err_set(e, ERR_SYS, "%s: %s", path, archive_error_string(out));
}

static int
copy_bytes(struct archive *in, struct archive *out, const char *path,
	   struct err *e)
{
	const void *bytes;
	size_t len;
	la_int64_t at;
	int r;

	while ((r = archive_read_data_block(in, &bytes, &len, &at)) ==
	       ARCHIVE_OK)
		if (archive_write_data_block(out, bytes, len, at) < ARCHIVE_OK)
			return refuse_write(out, path, e);
	return r == ARCHIVE_EOF ? 0 : refuse_read(in, e);
}

static int
unpack_entry(struct archive *in, struct archive *out,
	     struct archive_entry *entry, struct err *e)
{
	const char *path = archive_entry_pathname(entry);

	if (!path || !*path)
		return err_set(e, ERR_INPUT,
			       "an entry of the archive has no "
			       "name");
	if (archive_write_header(out, entry) != ARCHIVE_OK)
		return refuse_write(out, path, e);
	if (archive_entry_size(entry) > 0 && copy_bytes(in, out, path, e) < 0)
		return -1;
	if (archive_write_finish_entry(out) != ARCHIVE_OK)
		return refuse_write(out, path, e);
	return 0;
}

/* A warning about a header is of a name that the locale C does not know, one
 * beyond ASCII: its bytes are then taken as they are, which is what we want. */
static int
unpack_all(struct archive *in, struct archive *out, struct err *e)
{
	struct archive_entry *entry;
	size_t n = 0;
	int r;

	for (;; n++) {
		r = archive_read_next_header(in, &entry);
		if (r == ARCHIVE_EOF)
			break;
		if (r < ARCHIVE_WARN)
			return refuse_read(in, e);
		if (unpack_entry(in, out, entry, e) < 0)
			return -1;
	}
	if (n == 0)
		return err_set(e, ERR_INPUT, "the archive is empty");
	/* times of folders are set now */
	if (archive_write_close(out) != ARCHIVE_OK)
		return refuse_write(out, "the end", e);
	return 0;
}

int
tree_unpack(int fd, const char *into, struct err *e)
{
	struct archive *in = archive_read_new();
	struct archive *out = archive_write_disk_new();
	int bad = -1;

	umask(0);
	archive_read_support_format_tar(in);
	archive_read_support_filter_gzip(in);
	archive_write_disk_set_options(out, FLAGS);
	if (chdir(into) < 0)
		err_sys(e, "%s", into);
	else if (archive_read_open_fd(in, fd, BLOCK) != ARCHIVE_OK)
		refuse_read(in, e);
	else
		bad = unpack_all(in, out, e);
	archive_write_free(out);
	archive_read_free(in);
	return bad;
}
