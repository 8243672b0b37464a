#include <fcntl.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/file.h"

#include "roots/accounts.h"
#include "roots/pristine.h"

/* Read below the root: a link there may lead anywhere. */
static int
keep(int root, const char *folder, const char *path, struct err *e)
{
	AUTO_CLOSE int fd = open_beneath(root, path, O_RDONLY, 0);
	AUTO_FREE char *from = base_printf("/proc/self/fd/%d", fd);
	AUTO_FREE char *to = base_printf("%s/%s", folder, path);
	AUTO_FREE char *bytes = NULL;
	size_t len;

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP
			       ? 0
			       : err_sys(e, "%s", path);
	if (file_read(from, ACCOUNTS_TEXT_MAX, &bytes, &len, e) < 0)
		return err_add(e, "%s", path);
	return file_replace(to, bytes, len, 0600, e);
}

int
pristine_keep(const char *root, const char *folder, struct err *e)
{
	AUTO_CLOSE int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FREE char *etc = base_printf("%s/etc", folder);
	const char *path;
	size_t i;

	if (fd < 0)
		return err_sys(e, "%s", root);
	if (dir_make(etc, 0700, e) < 0)
		return -1;
	for (i = 0; (path = accounts_path(i)); i++)
		if (keep(fd, folder, path, e) < 0)
			return -1;
	return 0;
}
