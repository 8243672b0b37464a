/* rsync does the work; here is what it is told. Files are compared by their
 * bytes (--checksum): two builds of a file may well agree in size and time. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/mounts.h"
#include "lib/num.h"
#include "lib/proc.h"
#include "lib/text.h"

#include "host/host.h"
#include "host/remote.h"

#define ARGS_MAX 128
#define LINE_MAX_BYTES 8192

/* What the kernel, the installer or an upgrade itself made for this machine
 * alone, whatever the role's exclude file says. */
static const char *const own[] = {
	"/dev/",       "/proc/",
	"/sys/",       "/run/",
	"/lost+found", "/etc/fstab",
	"/boot/grub/", "/boot/grub2/",
	STATE_DIR "/", "/var/log/edeploy/",
	"/etc/motd",
};

char *
transfer_url(const struct host *h, enum what what, const char *to)
{
	const struct conf *c = &h->conf;
	const char *path = c->rpath + strspn(c->rpath, "/");

	if (what == WHAT_TREE)
		return base_printf("rsync://%s:%s/%s/%s/%s/", c->rserv,
				   c->rserv_port, path, to, c->role);
	return base_printf("rsync://%s:%s/metadata/%s/%s/%s%s", c->rserv,
			   c->rserv_port, c->version, c->role,
			   what == WHAT_METADATA ? to : "",
			   what == WHAT_METADATA ? "/" : "");
}

/* ---- one life of rsync ---- */

static volatile sig_atomic_t asked_to_stop;

static void
stop(int signal_number)
{
	asked_to_stop = signal_number;
}

struct listener {
	void (*line)(void *ctx, const char *line);
	void *ctx;
	char text[LINE_MAX_BYTES];
	size_t len;
};

static void
listen_to(void *ctx, const char *bytes, size_t len)
{
	struct listener *l = ctx;
	size_t i;

	for (i = 0; i < len; i++) {
		if (bytes[i] != '\n') {
			if (l->len < sizeof(l->text) - 1)
				l->text[l->len++] = bytes[i];
			continue;
		}
		l->text[l->len] = '\0';
		l->len = 0;
		l->line(l->ctx, l->text);
	}
}

static int
look_at_signals(void *ctx)
{
	(void)ctx;
	return asked_to_stop;
}

/* Nobody answers: socket, and two kinds of timeout; rsync(1). */
static bool
is_silent(int status)
{
	return status == 10 || status == 30 || status == 35;
}

/* A way that nobody declared has no folder. Each version of rsync says last of
 * it another thing, and none of them that. */
static bool
is_missing(const char *url, int status)
{
	return status == 23 && strstr(url, "/metadata/");
}

static int
say_why(const char *url, const struct proc *p, struct err *e)
{
	char line[160];

	if (asked_to_stop)
		return err_set(e, ERR_REFUSED, "stopped by signal %d",
			       (int)asked_to_stop);
	if (is_missing(url, p->status))
		return err_set(e, ERR_PEER,
			       "%s is not there (rsync exit 23): publish the "
			       "version, or write its metadata there",
			       url);
	return err_set(e, ERR_PEER, "%s: rsync exit %d: %s%s", url, p->status,
		       proc_last_line(p, line, sizeof(line)),
		       is_silent(p->status) ? " (is rsync served there? RSERV "
					      "and RSERV_PORT in " CONF_PATH
					      " say where)"
					    : "");
}

/* *status: rsync's exit code, unless it is NULL: then other than 0 fails. */
static int
run_rsync(const char *const argv[], const char *url, struct listener *l,
	  int *status, struct err *e)
{
	const struct proc_opts o = { .output = l->line ? listen_to : NULL,
				     .tick = look_at_signals,
				     .ctx = l };
	struct sigaction before[2];
	const struct sigaction mine = { .sa_handler = stop };
	struct proc p = { 0 };
	int bad;

	asked_to_stop = 0;
	sigaction(SIGINT, &mine, &before[0]);
	sigaction(SIGTERM, &mine, &before[1]);
	bad = proc_run(argv, &o, &p, e);
	sigaction(SIGINT, &before[0], NULL);
	sigaction(SIGTERM, &before[1], NULL);
	if (!bad && status && !asked_to_stop)
		*status = p.status;
	else if (!bad && (p.status != 0 || asked_to_stop))
		bad = say_why(url, &p, e);
	proc_clear(&p);
	return bad;
}

/* ---- metadata ---- */

static int
check_metadata(const char *dir, const char *to, struct err *e)
{
	AUTO_FREE char *exclude = base_printf("%s/exclude", dir);
	AUTO_FREE char *add_only = base_printf("%s/add_only", dir);
	struct stat st;

	if (lstat(exclude, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_INPUT,
			       "the metadata of %s has no file \"exclude\": "
			       "without it local files would be lost; publish "
			       "one (it may be empty)",
			       to);
	if (lstat(add_only, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return err_set(e, ERR_INPUT,
			       "the metadata of %s has no file \"add_only\" "
			       "with text in it; \"- *\" alone adds nothing",
			       to);
	return 0;
}

int
transfer_metadata(const struct host *h, const char *to, const char *dir,
		  struct err *e)
{
	AUTO_FREE char *tree = transfer_url(h, WHAT_TREE, to);
	AUTO_FREE char *inside =
		base_printf("%s%s/%s/", tree, &STATE_DIR[1], to);
	AUTO_FREE char *url = transfer_url(h, WHAT_METADATA, to);
	const char *argv[] = { "rsync",
			       "-rlpt",
			       "--timeout=60",
			       "--include=/pre",
			       "--include=/post",
			       "--exclude=*",
			       inside,
			       dir,
			       NULL };
	const char *over[] = {
		"rsync", "-rlpt", "--timeout=60", url, dir, NULL
	};
	struct listener silent = { 0 };
	int ignored;

	if (dir_make(dir, 0755, e) < 0)
		return -1;
	/* most trees carry none of their own */
	if (run_rsync(argv, inside, &silent, &ignored, e) < 0)
		return -1;
	if (run_rsync(over, url, &silent, NULL, e) < 0)
		return err_add(e,
			       "no way from %s to %s (\"edeploy list\" "
			       "shows those there are)",
			       h->conf.version, to);
	return check_metadata(dir, to, e);
}

/* ---- list ---- */

struct names {
	char **at;
	size_t len;
};

/* "drwxr-xr-x          4,096 2026/11/21 01:02:03 NAME", links with " -> ". */
static void
take_name(void *ctx, const char *line)
{
	struct names *n = ctx;
	char name[256], *arrow;

	if ((*line != 'd' && *line != 'l') ||
	    sscanf(line, "%*s %*s %*s %*s %255[^\n]", name) != 1)
		return;
	arrow = strstr(name, " -> ");
	if (arrow)
		*arrow = '\0';
	if (!name_is_safe(name))
		return;
	n->at = base_resize(n->at, n->len + 2, sizeof(*n->at));
	n->at[n->len++] = base_strdup(name);
	n->at[n->len] = NULL;
}

static int
by_version(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

int
transfer_list(const struct host *h, char ***names, struct err *e)
{
	AUTO_FREE char *url = transfer_url(h, WHAT_PATHS, NULL);
	const char *const argv[] = { "rsync", "--list-only", "--timeout=60",
				     url, NULL };
	struct names n = { base_array(1, sizeof(char *)), 0 };
	struct listener l = { .line = take_name, .ctx = &n };

	if (run_rsync(argv, url, &l, NULL, e) < 0) {
		names_free(n.at);
		return err_add(e, "no list of versions for %s %s", h->conf.role,
			       h->conf.version);
	}
	qsort(n.at, n.len, sizeof(*n.at), by_version);
	*names = n.at;
	return 0;
}

/* ---- a pass ---- */

struct argv {
	const char *at[ARGS_MAX + 1];
	char *owned[ARGS_MAX];
	size_t len;
};

static void
arg(struct argv *a, const char *fmt, const char *value)
{
	const char *at = strstr(fmt, "%s");

	if (a->len == ARGS_MAX)
		return;
	a->owned[a->len] = at ? base_printf("%.*s%s%s", (int)(at - fmt), fmt,
					    value, at + 2)
			      : base_strdup(fmt);
	a->at[a->len] = a->owned[a->len];
	a->len++;
}

static void
argv_clear(struct argv *a)
{
	size_t i;

	for (i = 0; i < a->len; i++)
		free(a->owned[i]);
}

/* Other machines' files are not this role's to delete. */
static int
keep_remote_mounts(const struct host *h, struct argv *a, struct err *e)
{
	AUTO_CLEAR(mounts) m = { 0 };
	size_t i;

	if (mounts_read(&m, e) < 0)
		return -1;
	for (i = 0; i < m.len; i++) {
		AUTO_FREE char *pattern = remote_pattern(&m.at[i], h->root);

		if (!pattern)
			continue;
		if (a->len + 16 > ARGS_MAX)
			return err_set(e, ERR_REFUSED,
				       "too many remote file systems are "
				       "mounted; unmount some");
		arg(a, "--exclude=%s", pattern);
	}
	return 0;
}

static int
build_pass(const struct host *h, const struct pass *p, const char *url,
	   struct argv *a, struct err *e)
{
	size_t i;

	arg(a, "rsync", NULL);
	/* labels cannot be transferred under SELinux; setfiles makes them */
	arg(a, file_exists("/sys/fs/selinux/enforce") ? "-aHA" : "-aHAX", NULL);
	arg(a, "--numeric-ids", NULL);
	arg(a, "--checksum", NULL);
	arg(a, "--timeout=300", NULL);
	arg(a, "--stats", NULL);
	arg(a, "--no-human-readable", NULL);
	arg(a, "--out-format=%i %n%L", NULL);
	if (p->only_look)
		arg(a, "--dry-run", NULL);
	/* the command that is running stays, also when the role has none */
	arg(a, "--filter=P /usr/sbin/edeploy", NULL);
	for (i = 0; i < ARRAY_LEN(own); i++)
		arg(a, "--exclude=%s", own[i]);
	if (keep_remote_mounts(h, a, e) < 0)
		return -1;
	if (p->number == 1) {
		arg(a, "--delete-after", NULL);
		if (p->exclude)
			arg(a, "--exclude-from=%s", p->exclude);
	} else {
		arg(a, "--ignore-existing", NULL);
		arg(a, "--include-from=%s", p->add_only);
	}
	arg(a, "%s", url);
	arg(a, "%s/", h->root);
	return 0;
}

struct heard {
	struct pass *pass;
	bool quiet;
};

/* Itemized changes are 11 letters, a blank and a path; a deletion is
 * "*deleting   PATH". Times of directories change whenever something in them
 * does, and are no news. */
static bool
parse_change(const char *line, char what[16], const char **path)
{
	if (strlen(line) < 13 || line[11] != ' ' || !strchr("<>ch.*", *line))
		return false;
	snprintf(what, 16, "%.11s", line);
	*path = line + 12;
	if (str_starts(line, ".d..t...... "))
		return false;
	return strncmp(line, "*deleting", 9) == 0 ||
	       strchr("fdLDS", line[1]) != NULL;
}

static void
hear(void *ctx, const char *line)
{
	static const char size[] = "Total transferred file size: ";
	struct heard *h = ctx;
	struct value *change;
	AUTO_CLEAR(buf) shown = { 0 };
	const char *path;
	char what[16];

	if (str_starts(line, size))
		h->pass->bytes = strtoll(line + strlen(size), NULL, 10);
	if (!parse_change(line, what, &path))
		return;
	text_show(path, strlen(path), 1, &shown);
	if (!h->quiet)
		printf("%s %s\n", what, buf_text(&shown));
	if (!h->pass->changes)
		return;
	change = value_dict();
	value_set_int(change, "pass", h->pass->number);
	value_set_str(change, "what", text_trim(what));
	value_set_str(change, "path", buf_text(&shown));
	value_push(h->pass->changes, change);
}

int
transfer_pass(const struct host *h, struct pass *p, struct err *e)
{
	AUTO_FREE char *url = transfer_url(h, WHAT_TREE, p->version);
	struct heard heard = { p, h->json };
	struct listener l = { .line = hear, .ctx = &heard };
	struct argv a = { 0 };
	int bad;

	p->bytes = 0;
	bad = build_pass(h, p, url, &a, e) < 0 ||
	      run_rsync(a.at, url, &l, NULL, e) < 0;
	argv_clear(&a);
	return bad ? err_add(e, "pass %d", p->number) : 0;
}
