/* Everything here is written below layout.root by the agent, which is root:
 * paths of ours go through the tree's own links only when these are relative,
 * since an absolute one would lead into the initrd. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "lib/text.h"

#include "agent/own.h"

#define SMALL_FILE (1024 * 1024)

/* ---- the script's files ---- */

struct walk {
	const char *from, *to;
	struct err *e;
};

/* nftw() has no context of its own. */
static struct walk *walking;

/* A directory of the script meets the tree: the tree's wins, links included
 * (rsync -K keeps them), as long as these stay inside. */
static int
take_after_tree(const char *path, const struct stat *mine, int kind,
		struct FTW *ftw)
{
	AUTO_FREE char *there =
		base_printf("%s%s", walking->to, path + strlen(walking->from));
	struct stat st;
	char target[2];

	(void)mine;
	(void)ftw;
	if (kind != FTW_D || lstat(there, &st) < 0)
		return 0;
	if (S_ISLNK(st.st_mode) && readlink(there, target, 1) == 1 &&
	    *target == '/')
		return err_set(walking->e, ERR_INPUT,
			       "%s: the tree has an absolute link of that "
			       "name; write below its target instead",
			       there + strlen(walking->to));
	if (stat(there, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(walking->e, ERR_INPUT,
			       "%s: the script has a directory where the tree "
			       "has none",
			       there + strlen(walking->to));
	if (chown(path, st.st_uid, st.st_gid) < 0 ||
	    chmod(path, st.st_mode & 07777) < 0)
		return err_sys(walking->e, "%s", path);
	return 0;
}

int
own_copy_files(const struct own *o, struct err *e)
{
	AUTO_FREE char *from = base_printf("%s/", o->post_rsync);
	AUTO_FREE char *to = base_printf("%s/", o->layout->root);
	const char *const argv[] = {
		"rsync", "-aHAXK", "--numeric-ids", "--omit-dir-times", from,
		to,      NULL
	};
	struct walk w = { o->post_rsync, o->layout->root, e };

	if (!file_exists(o->post_rsync))
		return 0;
	walking = &w;
	errno = 0;
	if (nftw(o->post_rsync, take_after_tree, 32, FTW_PHYS) != 0)
		return e->kind ? -1 : err_sys(e, "%s", o->post_rsync);
	return proc_ok(argv, NULL, e);
}

/* ---- fstab ---- */

/* The second word of an fstab line, owned; NULL when it is a comment. */
static char *
place_of(const char *line)
{
	AUTO_FREE char *copy = base_strdup(line);
	char *at = copy, *first = strtok_r(at, " \t", &at), *second;

	if (!first || *first == '#')
		return NULL;
	second = strtok_r(at, " \t", &at);
	return second ? base_strdup(second) : NULL;
}

static bool
same_place(const struct layout_mount *m, const char *place, const char *line)
{
	if (!str_eq(m->where, "none"))
		return str_eq(m->where, place);
	/* swap has no place: it is the same when it is the same swap */
	return (str_eq(place, "none") || str_eq(place, "swap")) && m->uuid &&
	       strstr(line, m->uuid);
}

static const struct layout_mount *
ours(const struct layout *l, const char *line)
{
	AUTO_FREE char *place = place_of(line);
	size_t i;

	for (i = 0; place && i < l->len; i++)
		if (same_place(&l->mounts[i], place, line))
			return &l->mounts[i];
	return NULL;
}

static void
print_mount(const struct layout_mount *m, struct buf *out)
{
	bool swap = str_eq(m->where, "none");
	bool ext = str_starts(m->fstype, "ext");

	if (m->uuid)
		buf_printf(out, "UUID=%s", m->uuid);
	else
		buf_str(out, m->node);
	buf_printf(out, " %s %s %s 0 %d\n", m->where, m->fstype,
		   swap && str_eq(m->options, "defaults") ? "sw" : m->options,
		   !ext                    ? 0
		   : str_eq(m->where, "/") ? 1
					   : 2);
}

char *
own_fstab(const char *old, const struct layout *l, int operator_wrote)
{
	AUTO_CLEAR(buf) out = { 0 };
	AUTO_FREE char *copy = base_strdup(old);
	AUTO_FREE bool *kept = base_array(l->len + 1, sizeof(*kept));
	char *at = copy, *line;
	size_t i;

	while ((line = strsep(&at, "\n"))) {
		const struct layout_mount *m = ours(l, line);

		if (m && !operator_wrote)
			continue;
		if (m)
			kept[m - l->mounts] = true;
		if (*line || (at && *at))
			buf_printf(&out, "%s\n", line);
	}
	for (i = 0; i < l->len; i++)
		if (!kept[i])
			print_mount(&l->mounts[i], &out);
	return buf_take(&out);
}

/* ---- conf ---- */

static bool
has_key(const char *line, const struct own_key *keys, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		size_t n = strlen(keys[i].key);

		if (strncmp(line, keys[i].key, n) == 0 && line[n] == '=')
			return true;
	}
	return false;
}

char *
own_conf(const char *old, const struct own_key *keys, size_t len)
{
	AUTO_CLEAR(buf) out = { 0 };
	AUTO_FREE char *copy = base_strdup(old);
	char *at = copy, *line;
	size_t i;

	while ((line = strsep(&at, "\n")))
		if (*line && !has_key(line, keys, len))
			buf_printf(&out, "%s\n", line);
	for (i = 0; i < len; i++)
		if (keys[i].value && *keys[i].value)
			buf_printf(&out, "%s=%s\n", keys[i].key, keys[i].value);
	return buf_take(&out);
}

/* ---- writing below the root ---- */

static char *
below(const struct own *o, const char *path)
{
	return layout_place(o->layout, path);
}

/* The text of a file of the tree, "" when it has none. Owned. */
static int
read_old(const struct own *o, const char *path, char **text, struct err *e)
{
	AUTO_FREE char *there = below(o, path);

	if (!file_exists(there)) {
		*text = base_strdup("");
		return 0;
	}
	return file_read(there, SMALL_FILE, text, NULL, e);
}

static int
replace(const struct own *o, const char *path, const char *text, mode_t mode,
	struct err *e)
{
	AUTO_FREE char *there = below(o, path);
	AUTO_FREE char *dir =
		base_strndup(there, (size_t)(strrchr(there, '/') - there));

	if (dir_make(dir, 0755, e) < 0)
		return -1;
	return file_replace(there, text, strlen(text), mode, e);
}

static int
write_fstab(const struct own *o, struct err *e)
{
	AUTO_FREE char *written = base_printf("%s/etc/fstab", o->post_rsync);
	AUTO_FREE char *old = NULL;
	AUTO_FREE char *text = NULL;

	if (read_old(o, "/etc/fstab", &old, e) < 0)
		return -1;
	text = own_fstab(old, o->layout, file_exists(written));
	return replace(o, "/etc/fstab", text, 0644, e);
}

static int
write_conf(const struct own *o, struct err *e)
{
	AUTO_FREE char *port = base_printf("%u", o->words->rserv_port);
	const struct own_key keys[] = {
		{ "VERS", o->version },     { "ROLE", o->role },
		{ "SERV", o->words->serv }, { "RSERV", o->words->rserv },
		{ "RSERV_PORT", port },     { "RPATH", o->words->rpath },
		{ "MACHINE", o->machine },  { "TREE", o->tree },
	};
	size_t len = ARRAY_LEN(keys) - (o->tree ? 0 : 1);
	AUTO_FREE char *old = NULL;
	AUTO_FREE char *text = NULL;

	if (read_old(o, "/var/lib/edeploy/conf", &old, e) < 0)
		return -1;
	text = own_conf(old, keys, len);
	return replace(o, "/var/lib/edeploy/conf", text, 0644, e);
}

/* Whom the initrd believed, the machine's own upgrades believe. */
static int
write_trust(const struct own *o, struct err *e)
{
	AUTO_FREE char *keys = NULL;

	if (!o->trust || !file_exists(o->trust))
		return 0;
	if (file_read(o->trust, 65536, &keys, NULL, e) < 0)
		return -1;
	return replace(o, "/var/lib/edeploy/trees.pub", keys, 0644, e);
}

static int
write_modules(const struct own *o, struct err *e)
{
	AUTO_FREE char *old = NULL;
	AUTO_FREE char *text = NULL;

	if (!o->modules || !*o->modules)
		return 0;
	if (read_old(o, "/etc/modules", &old, e) < 0)
		return -1;
	text = base_printf("%s%s%s", old,
			   *old && !str_ends(old, "\n") ? "\n" : "",
			   o->modules);
	return replace(o, "/etc/modules", text, 0644, e);
}

static int
write_passwords(const struct own *o, struct err *e)
{
	AUTO_FREE char *old = NULL;
	AUTO_FREE char *text = NULL;

	if (!o->passwords || !*o->passwords)
		return 0;
	if (read_old(o, "/etc/shadow", &old, e) < 0)
		return -1;
	text = own_shadow(old, o->passwords, e);
	return text ? replace(o, "/etc/shadow", text, 0600, e) : -1;
}

static int
write_command(const struct own *o, struct err *e)
{
	AUTO_FREE char *there = below(o, "/usr/sbin/edeploy");
	const char *const argv[] = { "cp", "-f", o->command, there, NULL };

	if (!o->command || !file_exists(o->command)) {
		o->say(o->ctx, "this initrd holds no edeploy command: the "
			       "machine keeps that of its role, if any");
		return 0;
	}
	if (proc_ok(argv, NULL, e) < 0)
		return -1;
	return chmod(there, 0755) < 0 ? err_sys(e, "%s", there) : 0;
}

/* This version, too, is on trial when somebody goes back to it by a boot. */
static int
write_prover(const struct own *o, struct err *e)
{
	const char *const argv[] = { o->command, "prove", "--install",
				     o->layout->root, NULL };

	if (!o->layout->version || !o->command || !file_exists(o->command))
		return 0;
	return proc_ok(argv, NULL, e);
}

static int
write_vars(const struct own *o, struct err *e)
{
	const struct own_key keys[] = { { "ROLE", o->role },
					{ "VERS", o->version },
					{ "DISK", o->layout->disk },
					{ "PROFILE", o->profile } };
	AUTO_FREE char *text = own_conf("", keys, ARRAY_LEN(keys));

	return replace(o, "/var/log/edeploy/vars", text, 0600, e);
}

int
own_write(const struct own *o, struct err *e)
{
	AUTO_FREE char *logs = below(o, "/var/log/edeploy");

	if (write_fstab(o, e) < 0 || write_conf(o, e) < 0 ||
	    write_trust(o, e) < 0 || write_modules(o, e) < 0 ||
	    write_passwords(o, e) < 0 || write_command(o, e) < 0 ||
	    write_prover(o, e) < 0)
		return -1;
	if (dir_make(logs, 0700, e) < 0 || write_vars(o, e) < 0)
		return -1;
	/* scripts and facts hold addresses and passwords */
	if (replace(o, "/var/log/edeploy/hw.json", o->facts, 0600, e) < 0 ||
	    replace(o, "/var/log/edeploy/configure", o->script, 0600, e) < 0)
		return -1;
	return own_write_log(o, e);
}

int
own_write_log(const struct own *o, struct err *e)
{
	AUTO_FREE char *there = below(o, "/var/log/edeploy/install.log");
	const char *const argv[] = { "cp", "-f", o->journal, there, NULL };

	if (proc_ok(argv, NULL, e) < 0)
		return -1;
	return chmod(there, 0600) < 0 ? err_sys(e, "%s", there) : 0;
}
