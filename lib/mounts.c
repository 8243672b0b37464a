/* "36 35 98:0 /root /where options [tags] - fstype node super" */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/mounts.h"

#define MOUNTINFO_MAX (4 * 1024 * 1024)

void
mounts_unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to++ = (char)((text[1] - '0') << 6 |
				       (text[2] - '0') << 3 | (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static bool
parse_row(char *line, struct mount_row *m)
{
	char *at = line, *field[5], *rest;
	size_t i;

	for (i = 0; i < ARRAY_LEN(field); i++)
		if (!(field[i] = strsep(&at, " ")))
			return false;
	rest = at ? strstr(at, " - ") : NULL;
	if (!rest)
		return false;
	*rest = '\0';
	m->shared = strstr(at, " shared:") != NULL;
	at = rest + 3;
	m->id = atoi(field[0]);
	m->parent = atoi(field[1]);
	if (sscanf(field[2], "%u:%u", &m->major, &m->minor) != 2)
		return false;
	m->from = field[3];
	m->where = field[4];
	m->fstype = strsep(&at, " ");
	m->node = strsep(&at, " ");
	if (!m->node)
		return false;
	mounts_unescape(m->from);
	mounts_unescape(m->where);
	mounts_unescape(m->node);
	return true;
}

void
mounts_parse(struct mounts *out, char *text)
{
	char *line;
	struct mount_row row;

	while ((line = strsep(&text, "\n"))) {
		if (!parse_row(line, &row))
			continue;
		out->at = base_resize(out->at, out->len + 1, sizeof(row));
		out->at[out->len++] = row;
	}
}

int
mounts_read_of(struct mounts *out, const char *pid, struct err *e)
{
	AUTO_FREE char *path = base_printf("/proc/%s/mountinfo", pid);

	*out = (struct mounts){ 0 };
	if (file_read(path, MOUNTINFO_MAX, &out->text, NULL, e) < 0)
		return -1;
	mounts_parse(out, out->text);
	return 0;
}

int
mounts_read(struct mounts *out, struct err *e)
{
	return mounts_read_of(out, "self", e);
}

const struct mount_row *
mounts_root(const struct mounts *m)
{
	const struct mount_row *root = NULL;
	struct statx st;
	size_t i;
	/* since Linux 5.8; before, the last one is right unless a move was
	 * killed */
	bool known = statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &st) == 0 &&
		     (st.stx_mask & STATX_MNT_ID);

	for (i = 0; i < m->len; i++)
		if (str_eq(m->at[i].where, "/") &&
		    (!known || (uint64_t)m->at[i].id == st.stx_mnt_id))
			root = &m->at[i];
	return root;
}

void
mounts_clear(struct mounts *m)
{
	free(m->at);
	free(m->text);
	*m = (struct mounts){ 0 };
}
