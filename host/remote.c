#include "host/remote.h"

#include <string.h>

#include "lib/base.h"
#include "lib/buf.h"

/* A server's, or a disk that several machines mount at once. */
static bool
is_remote(const struct mount_row *m)
{
	static const char *const kinds[] = {
		"9p",     "acfs",  "afs",    "autofs",   "beegfs",    "ceph",
		"cifs",   "coda",  "fuse",   "gfs2",     "glusterfs", "gpfs",
		"lustre", "ncpfs", "nfs",    "ocfs2",    "orangefs",  "panfs",
		"pvfs2",  "smb",   "vboxsf", "virtiofs", "vmhgfs",    "wekafs"
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_starts(m->fstype, kinds[i]))
			return true;
	/* SERVER:PATH and //SERVER/SHARE of any other kind */
	return *m->node != '/' ? strstr(m->node, ":/") != NULL
			       : str_starts(m->node, "//");
}

/* Letters that mean something to rsync's filters mean themselves here. To rsync
 * a backslash is one of these only where a wildcard stands, too. */
static char *
escape_pattern(const char *path)
{
	AUTO_CLEAR(buf) out = { 0 };
	bool wild = strpbrk(path, "*?[") != NULL;

	for (; *path; path++) {
		if (wild && strchr("*?[\\", *path))
			buf_char(&out, '\\');
		buf_char(&out, *path);
	}
	return buf_take(&out);
}

char *
remote_pattern(const struct mount_row *m, const char *root)
{
	if (!is_remote(m) || !path_is_below(m->where, root) ||
	    !m->where[strlen(root) + 1])
		return NULL;
	return escape_pattern(m->where + strlen(root));
}
