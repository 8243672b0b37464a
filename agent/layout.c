#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>

#include "lib/buf.h"
#include "lib/file.h"
#include "lib/proc.h"

#include "agent/layout.h"

#define MOUNTINFO_MAX (1024 * 1024)

/* "\040" and friends, in place: how the kernel writes blanks in paths. */
static void
unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		unsigned c;

		if (*text == '\\' && sscanf(text + 1, "%3o", &c) == 1) {
			*to++ = (char)c;
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

struct mounted {
	char *where, *fstype, *node;
};

/* "36 35 98:0 /root /where options [tags] - fstype node super" */
static bool
parse_mountinfo(char *line, struct mounted *m)
{
	char *at = line, *field[5];
	size_t i;

	for (i = 0; i < 5; i++)
		if (!(field[i] = strsep(&at, " ")))
			return false;
	at = at ? strstr(at, " - ") : NULL;
	if (!at)
		return false;
	at += 3;
	m->where = field[4];
	m->fstype = strsep(&at, " ");
	m->node = strsep(&at, " ");
	if (!m->node)
		return false;
	unescape(m->where);
	unescape(m->node);
	return true;
}

/* `path` below `top`, as the installed system sees it; NULL when elsewhere. */
static const char *
seen_from(const char *top, const char *path)
{
	size_t len = strlen(top);

	if (strncmp(path, top, len) != 0)
		return NULL;
	if (!path[len])
		return "/";
	return path[len] == '/' ? path + len : NULL;
}

typedef int each_mount(void *ctx, const struct mounted *m, const char *seen,
		       struct err *e);

static int
for_each_below(const char *top, each_mount *each, void *ctx, struct err *e)
{
	AUTO_FREE char *text = NULL;
	char *at, *line;
	struct mounted m;

	if (file_read("/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL, e) <
	    0)
		return -1;
	for (at = text; (line = strsep(&at, "\n"));) {
		const char *seen;

		if (!parse_mountinfo(line, &m) ||
		    !(seen = seen_from(top, m.where)))
			continue;
		if (each(ctx, &m, seen, e) < 0)
			return -1;
	}
	return 0;
}

/* From the output of blkid: ` UUID="..."`, not PARTUUID or UUID_SUB. */
char *
layout_uuid_of(const char *node)
{
	const char *const argv[] = { "blkid", node, NULL };
	struct proc p = { 0 };
	struct err ignored;
	char *uuid = NULL;
	const char *at;

	if (proc_run(argv, &(struct proc_opts){ .deadline_ms = 20000 }, &p,
		     &ignored) == 0 &&
	    p.status == 0 && (at = strstr(buf_text(&p.out), " UUID=\""))) {
		at += strlen(" UUID=\"");
		uuid = base_strndup(at, strcspn(at, "\"\n"));
	}
	proc_clear(&p);
	return uuid;
}

static struct layout_mount *
add_mount(struct layout *l, const char *node, const char *where,
	  const char *fstype)
{
	struct layout_mount *m;

	l->mounts = base_resize(l->mounts, l->len + 1, sizeof(*l->mounts));
	m = &l->mounts[l->len++];
	*m = (struct layout_mount){ .node = base_strdup(node),
				    .where = base_strdup(where),
				    .fstype = base_strdup(fstype),
				    .options = base_strdup("defaults"),
				    .uuid = layout_uuid_of(node) };
	return m;
}

static int
take_mount(void *ctx, const struct mounted *m, const char *seen, struct err *e)
{
	struct layout *l = ctx;

	(void)e;
	/* /proc, /sys and binds of the initrd have no block device */
	if (str_starts(m->node, "/dev/"))
		add_mount(l, m->node, seen, m->fstype);
	return 0;
}

int
layout_plain(struct layout *out, const char *top, const char *disk,
	     struct err *e)
{
	*out = (struct layout){ .name = "plain",
				.top = base_strdup(top),
				.root = base_strdup(top),
				.disk = base_strdup(disk) };
	if (for_each_below(top, take_mount, out, e) < 0)
		return -1;
	if (out->len == 0 || !str_eq(out->mounts[0].where, "/"))
		return err_set(e, ERR_INPUT,
			       "nothing is mounted on %s: the script mounts "
			       "the root file system there "
			       "(disk.mount(node, '/'))",
			       top);
	return 0;
}

static struct layout_mount *
find_mount(struct layout *l, const struct layout_mount *known)
{
	size_t i;

	for (i = 0; i < l->len; i++)
		if (str_eq(l->mounts[i].where, known->where) &&
		    str_eq(l->mounts[i].node, known->node))
			return &l->mounts[i];
	return NULL;
}

void
layout_know(struct layout *l, const struct layout_mount *known)
{
	struct layout_mount *m = find_mount(l, known);

	if (!m)
		m = add_mount(l, known->node, known->where, known->fstype);
	if (known->options && *known->options) {
		free(m->options);
		m->options = base_strdup(known->options);
	}
	if (known->uuid) {
		free(m->uuid);
		m->uuid = base_strdup(known->uuid);
	}
}

int
layout_check(const struct layout *l, struct err *e)
{
	size_t i;

	for (i = 0; i < l->len; i++)
		if (!l->mounts[i].uuid)
			return err_set(e, ERR_INPUT,
				       "%s (%s) has no UUID, so fstab and boot "
				       "loader cannot name it: format it "
				       "before it is mounted",
				       l->mounts[i].node, l->mounts[i].where);
	return 0;
}

const struct layout_mount *
layout_holding(const struct layout *l, const char *path)
{
	const struct layout_mount *best = &l->mounts[0];
	size_t i, longest = 1;

	for (i = 1; i < l->len; i++) {
		size_t len = strlen(l->mounts[i].where);

		if (len > longest &&
		    strncmp(path, l->mounts[i].where, len) == 0 &&
		    (path[len] == '/' || !path[len])) {
			best = &l->mounts[i];
			longest = len;
		}
	}
	return best;
}

char *
layout_root_words(const struct layout *l)
{
	return base_printf("root=UUID=%s", l->mounts[0].uuid);
}

struct names {
	char **at;
	size_t len;
};

static int
take_name(void *ctx, const struct mounted *m, const char *seen, struct err *e)
{
	struct names *n = ctx;

	(void)seen;
	(void)e;
	n->at = base_resize(n->at, n->len + 2, sizeof(*n->at));
	n->at[n->len++] = base_strdup(m->where);
	n->at[n->len] = NULL;
	return 0;
}

char **
layout_mounted_below(const char *top)
{
	struct names n = { base_array(1, sizeof(char *)), 0 };
	struct err ignored;

	for_each_below(top, take_name, &n, &ignored);
	return n.at;
}

int
layout_leave(const struct layout *l, struct err *e)
{
	char **names = layout_mounted_below(l->top);
	size_t len = 0;
	int bad = 0;

	sync();
	while (names[len])
		len++;
	while (len-- > 0)
		if (umount2(names[len], 0) < 0 && !bad)
			bad = err_sys(e, "unmount %s", names[len]);
	names_free(names);
	return bad;
}

void
layout_clear(struct layout *l)
{
	size_t i;

	for (i = 0; i < l->len; i++) {
		free(l->mounts[i].node);
		free(l->mounts[i].where);
		free(l->mounts[i].fstype);
		free(l->mounts[i].options);
		free(l->mounts[i].uuid);
	}
	free(l->mounts);
	free(l->top);
	free(l->root);
	free(l->disk);
	*l = (struct layout){ 0 };
}
