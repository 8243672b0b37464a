/* Lines of /proc/self/mountinfo. */
#include "lib/base.h"
#include "lib/mounts.h"

#include "tests/test.h"

static const struct {
	const char *line;
	int id, parent;
	const char *from, *where, *fstype, *node; /* from NULL: no row */
	bool shared;
} rows[] = {
	{ "36 35 98:0 / / rw,noatime shared:1 - ext4 /dev/vda1 rw", 36, 35, "/",
	  "/", "ext4", "/dev/vda1", true },
	{ "36 35 98:0 /roots/A /mnt/a\\040b\\134c rw - ext4 /dev/vda1 rw", 36,
	  35, "/roots/A", "/mnt/a b\\c", "ext4", "/dev/vda1", false },
	{ "1 1 0:2 / /proc rw shared:1 master:2 - proc proc rw", 1, 1, "/",
	  "/proc", "proc", "proc", true },
	{ "1 1 0:2 / /slave rw master:2 - tmpfs shared:1 rw", 1, 1, "/",
	  "/slave", "tmpfs", "shared:1", false },
	{ "1 1 0:2 / /a-b rw - tmpfs none rw", 1, 1, "/", "/a-b", "tmpfs",
	  "none", false },
	{ "1 1 0:2 / /x rw - fuse.x a\\040b rw", 1, 1, "/", "/x", "fuse.x",
	  "a b", false },
	{ "", 0, 0, NULL, NULL, NULL, NULL, false },
	{ "1 1 x / /x rw - tmpfs none rw", 0, 0, NULL, NULL, NULL, NULL,
	  false },
	{ "1 1 0:2 /", 0, 0, NULL, NULL, NULL, NULL, false },
	{ "1 1 0:2 / /x rw", 0, 0, NULL, NULL, NULL, NULL, false },
	{ "1 1 0:2 / /x rw - tmpfs", 0, 0, NULL, NULL, NULL, NULL, false },
};

int
main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_CLEAR(mounts) m = { 0 };
		struct mount_row *r;

		m.text = base_strdup(rows[i].line);
		mounts_parse(&m, m.text);
		CHECK(i, m.len == (rows[i].from ? 1 : 0));
		if (!m.len)
			continue;
		r = m.at;
		CHECK(i, r->major == (i < 2 ? 98 : 0) &&
				 r->minor == (i < 2 ? 0 : 2));
		CHECK(i, r->shared == rows[i].shared);
		CHECK(i, r->id == rows[i].id && r->parent == rows[i].parent);
		CHECK_SHOW(i,
			   str_eq(r->from, rows[i].from) &&
				   str_eq(r->where, rows[i].where) &&
				   str_eq(r->fstype, rows[i].fstype) &&
				   str_eq(r->node, rows[i].node),
			   "%s %s %s %s", r->from, r->where, r->fstype,
			   r->node);
	}
	return test_end();
}
