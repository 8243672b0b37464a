/* Copying by the kernel: a reflink where there are such, else the data between
 * the holes, without its passing through our memory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/view_copy.h"

#define STEP (1UL << 20)

/* Where the kernel does not copy between these two files. */
static int
copy_by_hand(int from, int into, off_t at, off_t end)
{
	AUTO_FREE char *room = base_alloc(STEP);

	while (at < end) {
		size_t want =
			end - at < (off_t)STEP ? (size_t)(end - at) : STEP;
		ssize_t n = pread(from, room, want, at), put = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		while (put < n) {
			ssize_t m = pwrite(into, room + put, (size_t)(n - put),
					   at + put);

			if (m < 0 && errno == EINTR)
				continue;
			if (m < 0)
				return -1;
			put += m;
		}
		at += n;
	}
	return 0;
}

static int
copy_run(int from, int into, off_t at, off_t end)
{
	while (at < end) {
		off_t out = at;
		ssize_t n = copy_file_range(from, &at, into, &out,
					    (size_t)(end - at), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EXDEV || errno == EINVAL ||
			      errno == ENOSYS || errno == EOPNOTSUPP))
			return copy_by_hand(from, into, at, end);
		if (n <= 0)
			return (int)n;
	}
	return 0;
}

static int
copy_data(int from, int into, off_t size)
{
	off_t at = 0, hole;

	while (at < size) {
		at = lseek(from, at, SEEK_DATA);
		if (at < 0)
			return errno == ENXIO ? 0 : -1; /* a hole to the end */
		hole = lseek(from, at, SEEK_HOLE);
		if (hole < 0 || copy_run(from, into, at, hole) < 0)
			return -1;
		at = hole;
	}
	return 0;
}

static int
check_unchanged(int from, const struct manifest_entry *found, struct err *e)
{
	struct stat st;

	if (fstat(from, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == found->size &&
	    st.st_mtim.tv_sec == found->mtime_s &&
	    st.st_mtim.tv_nsec == (long)found->mtime_ns)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "%s changed while it was published; publish again when "
		       "nobody writes there",
		       found->path);
}

int
view_copy(int from, int into, const struct manifest_entry *found, struct err *e)
{
	const off_t size = (off_t)found->size;

	if (size > 0 && ioctl(into, FICLONE, from) < 0 &&
	    (ftruncate(into, size) < 0 || copy_data(from, into, size) < 0))
		return err_sys(e, "copy %s", found->path);
	return check_unchanged(from, found, e);
}
