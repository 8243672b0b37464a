/* Where things are mounted, as a list first: who reads a log of a boot sees it
 * in the same words, and a test needs no root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"

#include "roots/enter.h"
#include "roots/same.h"

#define HEADER "# edeploy mounts 1\n"

/* ---- places ---- */

void
enter_places_add(struct enter_places *p, bool state, const char *path)
{
	p->at = base_resize(p->at, p->len + 1, sizeof(*p->at));
	p->at[p->len++] = (struct enter_place){ state, base_strdup(path) };
}

bool
enter_path_ok(const char *path)
{
	const char *c = path;

	if (strlen(path) > 255)
		return false;
	while (*c) {
		size_t len = strcspn(c, "/");

		if (len == 0 || (len == 1 && *c == '.') ||
		    (len == 2 && c[0] == '.' && c[1] == '.'))
			return false;
		for (; len > 0; len--, c++)
			if ((unsigned char)*c <= ' ' || *c == 0x7f)
				return false;
		if (*c == '/' && !*++c)
			return false;
	}
	return c != path;
}

int
enter_places_parse(struct enter_places *out, const char *text, const char *name,
		   struct err *e)
{
	AUTO_FREE char *copy = base_strdup(text);
	char *at = copy, *line;
	size_t n = 1;

	*out = (struct enter_places){ 0 };
	if (!str_starts(at, HEADER))
		return err_set(e, ERR_INPUT, "%s, line 1: not \"%.*s\"", name,
			       (int)strlen(HEADER) - 1, HEADER);
	for (at += strlen(HEADER); *at;) {
		bool state = str_starts(at, "state ");

		n++;
		if (!strchr(at, '\n') || out->len == ENTER_PLACES_MAX)
			return err_set(e, ERR_INPUT,
				       "%s, line %zu: cut, or more than %d "
				       "places",
				       name, n, ENTER_PLACES_MAX);
		line = strsep(&at, "\n");
		if (!state && !str_starts(line, "version "))
			return err_set(e, ERR_INPUT,
				       "%s, line %zu: neither \"state PATH\" "
				       "nor \"version PATH\"",
				       name, n);
		line += state ? strlen("state ") : strlen("version ");
		if (!enter_path_ok(line))
			return err_set(e, ERR_INPUT,
				       "%s, line %zu: not a path below the "
				       "root",
				       name, n);
		enter_places_add(out, state, line);
	}
	return 0;
}

int
enter_places_read(struct enter_places *out, const char *dir,
		  const char *version, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/roots/%s.mounts", dir, version);
	AUTO_FREE char *text = NULL;

	*out = (struct enter_places){ 0 };
	if (file_read(path, ENTER_TEXT_MAX, &text, NULL, e) < 0)
		return -1;
	return enter_places_parse(out, text, path, e);
}

char *
enter_places_text(const struct enter_places *p)
{
	AUTO_CLEAR(buf) out = { 0 };
	size_t i;

	buf_str(&out, HEADER);
	for (i = 0; i < p->len; i++)
		buf_printf(&out, "%s %s\n",
			   p->at[i].state ? "state" : "version", p->at[i].path);
	return buf_take(&out);
}

void
enter_places_clear(struct enter_places *p)
{
	size_t i;

	for (i = 0; i < p->len; i++)
		free(p->at[i].path);
	free(p->at);
	*p = (struct enter_places){ 0 };
}

/* ---- the plan ---- */

static void
add(struct enter_plan *p, enum enter_kind kind, char *from, char *to)
{
	p->step = base_resize(p->step, p->len + 1, sizeof(*p->step));
	p->step[p->len++] = (struct enter_step){ kind, from, to };
}

void
enter_plan_make(struct enter_plan *out, const char *top, const char *version,
		const struct enter_places *places)
{
	static const char *const moved[] = { "dev", "proc", "sys", "run" };
	AUTO_FREE char *root = base_printf("%s/edeploy/roots/%s", top, version);
	AUTO_FREE char *sys = base_printf("%s/edeploy/sysroot", top);
	size_t i;

	*out = (struct enter_plan){ 0 };
	/* a mount point of its own: bound onto itself, the root could not be
	 * replaced by rename any more */
	add(out, ENTER_BIND, base_strdup(root), base_strdup(sys));
	for (i = 0; i < places->len; i++) {
		const struct enter_place *p = &places->at[i];

		add(out, ENTER_BIND,
		    p->state ? base_printf("%s/edeploy/state/%s", top, p->path)
			     : base_printf("%s/%s", root, p->path),
		    base_printf("%s/%s", sys, p->path));
	}
	/* tools see the same paths as GRUB; what old versions hold (setuid
	 * programs with known holes) is of no use to anybody there */
	add(out, ENTER_BIND, base_printf("%s/edeploy", top),
	    base_printf("%s/edeploy", sys));
	add(out, ENTER_GUARD, base_strdup(""), base_printf("%s/edeploy", sys));
	for (i = 0; i < ARRAY_LEN(moved); i++)
		add(out, ENTER_MOVE, base_printf("%s/%s", top, moved[i]),
		    base_printf("%s/%s", sys, moved[i]));
}

void
enter_plan_clear(struct enter_plan *p)
{
	size_t i;

	for (i = 0; i < p->len; i++) {
		free(p->step[i].from);
		free(p->step[i].to);
	}
	free(p->step);
	*p = (struct enter_plan){ 0 };
}

/* ---- doing it ---- */

static int
do_step(const struct enter_step *s, struct err *e)
{
	bool bad = false;

	if (s->kind != ENTER_GUARD &&
	    (dir_make(s->from, 0755, e) < 0 || dir_make(s->to, 0755, e) < 0))
		return -1;
	switch (s->kind) {
	case ENTER_BIND:
		bad = mount(s->from, s->to, NULL, MS_BIND, NULL) < 0;
		break;
	case ENTER_GUARD:
		bad = mount(NULL, s->to, NULL,
			    MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV,
			    NULL) < 0;
		break;
	case ENTER_MOVE:
		bad = mount(s->from, s->to, NULL, MS_MOVE, NULL) < 0;
		break;
	}
	return bad ? err_sys(e, "mount %s", s->to) : 0;
}

static void
undo(const struct enter_plan *p, size_t len)
{
	while (len-- > 0) {
		const struct enter_step *s = &p->step[len];

		if (s->kind == ENTER_MOVE)
			mount(s->to, s->from, NULL, MS_MOVE, NULL);
		else if (s->kind == ENTER_BIND)
			umount2(s->to, MNT_DETACH);
	}
}

int
enter_do(const struct enter_plan *p, struct err *e)
{
	size_t i;

	for (i = 0; i < p->len; i++)
		if (do_step(&p->step[i], e) < 0) {
			undo(p, i);
			return -1;
		}
	return 0;
}

/* As the root itself would find it: links are followed below it. */
static int
open_init(const char *root, int flags, struct err *e)
{
	struct open_how how = { .flags = (unsigned)flags | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT };
	AUTO_CLOSE int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (dir < 0)
		return err_sys(e, "%s", root);
	fd = (int)syscall(SYS_openat2, dir, "sbin/init", &how, sizeof(how));
	return fd < 0 ? err_set(e, ERR_INPUT, "%s has no /sbin/init (%s)", root,
				strerror(errno))
		      : fd;
}

int
enter_check_init(const char *root, struct err *e)
{
	AUTO_CLOSE int fd = open_init(root, O_PATH, e);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    !(st.st_mode & S_IXUSR) || st.st_size == 0)
		return err_set(e, ERR_INPUT,
			       "%s: /sbin/init is no program that can be "
			       "started",
			       root);
	return 0;
}

int
enter_same_init(const char *a, const char *b, bool *same, struct err *e)
{
	AUTO_CLOSE int left = open_init(a, O_RDONLY | O_NONBLOCK, e);
	AUTO_CLOSE int right =
		left < 0 ? -1 : open_init(b, O_RDONLY | O_NONBLOCK, e);
	AUTO_FREE char *one = base_printf("/proc/self/fd/%d", left);
	AUTO_FREE char *other = base_printf("/proc/self/fd/%d", right);

	return right < 0 ? -1 : same_bytes(one, other, same, e);
}
