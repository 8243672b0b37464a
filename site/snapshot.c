/* Reading a site. Each file is judged alone: one that is wrong makes the
 * machines that need it wait, and no others. */
#include <errno.h>
#include <stdio.h>

#include "lib/file.h"
#include "site/snapshot.h"

static void
note(struct snapshot *s, const char *file, unsigned line, bool warning,
     const char *message)
{
	s->problems = base_resize(s->problems, s->problems_len + 1,
				  sizeof(*s->problems));
	s->problems[s->problems_len++] =
		(struct problem){ .file = base_strdup(file),
				  .message = base_strdup(message),
				  .line = line,
				  .warning = warning };
}

/* The line in "path:12:3: what", 0 when there is none. */
static unsigned
line_in(const char *message, const char *path)
{
	size_t n = strlen(path);

	if (!str_starts(message, path) || message[n] != ':')
		return 0;
	return (unsigned)strtoul(message + n + 1, NULL, 10);
}

/* The file's text; NULL when it does not exist or cannot be read. */
static char *
read_file(struct snapshot *s, const char *path, size_t max, bool *exists,
	  struct err *e)
{
	AUTO_FREE char *text = NULL;

	*exists = file_exists(path) || errno != ENOENT;
	if (!*exists)
		return NULL;
	if (file_read(path, max, &text, NULL, e) < 0) {
		note(s, path, 0, false, e->text);
		return NULL;
	}
	return STEAL(text);
}

static void
set_problem(struct snapshot *s, struct profile *p, const char *path,
	    const char *message)
{
	note(s, path, line_in(message, path), false, message);
	if (!p->problem)
		p->problem = base_strdup(message);
}

/* Compile; on failure the old text stays in force if there is one. */
static void
read_specs(struct snapshot *s, struct profile *p, const char *dir,
	   const struct profile *old)
{
	AUTO_FREE char *path = base_printf("%s/%s.specs", dir, p->name);
	struct err e = { 0 };
	const char *warning;
	unsigned line;
	bool exists;
	size_t i;

	p->specs_text = read_file(s, path, PATTERNS_MAX_BYTES, &exists, &e);
	if (!exists)
		return;
	if (p->specs_text && patterns_parse(&p->patterns, path, p->specs_text,
					    strlen(p->specs_text), &e) == 0) {
		for (i = 0; (warning = patterns_warning(p->patterns, i, &line));
		     i++)
			note(s, path, line, true, warning);
		return;
	}
	free(p->specs_text);
	p->specs_text = NULL;
	if (!old || !old->specs_text ||
	    patterns_parse(&p->patterns, path, old->specs_text,
			   strlen(old->specs_text), &(struct err){ 0 }) < 0) {
		set_problem(s, p, path, e.text);
		return;
	}
	p->specs_text = base_strdup(old->specs_text);
	note(s, path, line_in(e.text, path), false, e.text);
}

static void
read_configure(struct snapshot *s, struct profile *p, const char *dir)
{
	AUTO_FREE char *path = base_printf("%s/%s.configure", dir, p->name);
	AUTO_FREE char *missing = NULL;
	struct err e = { 0 };
	bool exists;

	p->configure = read_file(s, path, CONFIGURE_MAX_BYTES, &exists, &e);
	if (p->configure)
		return;
	missing = base_printf("%s: missing; a profile needs its script", path);
	set_problem(s, p, path, exists ? e.text : missing);
}

#define CMDB_VANISHED "%s: vanished; put it back, or write [] for none"

static void
refuse_cmdb(struct snapshot *s, struct profile *p, const char *path,
	    const struct profile *old)
{
	if (old && old->has_cmdb) {
		p->has_cmdb = true;
		note(s, path, line_in(p->cmdb_error, path), false,
		     p->cmdb_error);
	} else {
		set_problem(s, p, path, p->cmdb_error);
	}
}

/* Reading anew what has not changed would cost much: a CMDB may be large, and
 * the server itself writes it. */
static void
read_cmdb(struct snapshot *s, struct profile *p, const char *dir,
	  const struct profile *old)
{
	AUTO_FREE char *name = base_printf("%s.cmdb", p->name);
	AUTO_FREE char *path = base_printf("%s/%s", dir, name);
	AUTO_FREE char *text = NULL;
	const struct site_file *file = site_files_find(&s->files, name);
	struct err e = { 0 };

	p->cmdb_stamp = file ? file->stamp : (struct stamp){ .size = -1 };
	if (!file && (!old || !old->has_cmdb))
		return;
	if (old && stamp_eq(&old->cmdb_stamp, &p->cmdb_stamp)) {
		p->has_cmdb = old->has_cmdb;
		if (old->cmdb_error)
			p->cmdb_error = base_strdup(old->cmdb_error);
		if (old->cmdb_remark)
			p->cmdb_remark = base_strdup(old->cmdb_remark);
	} else if (!file) {
		p->cmdb_error = base_printf(CMDB_VANISHED, path);
	} else if (file_read(path, CMDB_MAX_BYTES, &text, NULL, &e) < 0 ||
		   cmdb_parse(&p->cmdb, path, text, strlen(text), &e) < 0) {
		p->cmdb_error = base_strdup(e.text);
	} else {
		p->has_cmdb = true;
		if (cmdb_remark(p->cmdb))
			p->cmdb_remark = base_strdup(cmdb_remark(p->cmdb));
	}
	if (p->cmdb_error)
		refuse_cmdb(s, p, path, old);
	if (p->cmdb_remark)
		note(s, path, line_in(p->cmdb_remark, path), true,
		     p->cmdb_remark);
}

static void
read_state(struct snapshot *s, const char *dir, const struct snapshot *old)
{
	AUTO_FREE char *path = base_printf("%s/state", dir);
	struct err e = { 0 };
	bool exists;

	s->state_text = read_file(s, path, STATE_MAX_BYTES, &exists, &e);
	if (s->state_text && state_parse(&s->state, path, s->state_text,
					 strlen(s->state_text), &e) == 0)
		return;
	if (!exists)
		err_set(&e, ERR_INPUT,
			"%s: missing; write [('PROFILE', '*')] into it", path);
	if (!exists || s->state_text)
		note(s, path, line_in(e.text, path), false, e.text);
	free(s->state_text);
	s->state_text = NULL;
	s->state_problem = base_strdup(e.text);
	if (!old || !old->state_text)
		return;
	s->state_text = base_strdup(old->state_text);
	state_parse(&s->state, path, s->state_text, strlen(s->state_text), &e);
}

struct snapshot *
snapshot_read(const char *dir, const struct snapshot *old)
{
	struct snapshot *s = base_alloc(sizeof(*s));
	size_t i;

	site_files_read(&s->files, dir);
	read_state(s, dir, old);
	s->len = s->state ? state_len(s->state) : 0;
	s->profiles = base_array(s->len, sizeof(*s->profiles));
	for (i = 0; i < s->len; i++) {
		struct profile *p = &s->profiles[i];
		const struct profile *before;

		p->name = base_strdup(state_at(s->state, i)->profile);
		before = old ? snapshot_profile(old, p->name) : NULL;
		read_specs(s, p, dir, before);
		if (!p->patterns && !p->problem)
			continue;
		read_configure(s, p, dir);
		read_cmdb(s, p, dir, before);
	}
	return s;
}

void
snapshot_refuse_cmdb(struct snapshot *s, struct profile *p, const char *why)
{
	AUTO_FREE char *file = base_printf("%s.cmdb", p->name);

	set_problem(s, p, file, why);
	free(p->cmdb_error);
	p->cmdb_error = base_strdup(why);
	p->has_cmdb = false;
}

void
snapshot_note_vanished(struct snapshot *s, struct profile *p, const char *dir)
{
	AUTO_FREE char *path = base_printf("%s/%s.cmdb", dir, p->name);

	p->cmdb_error = base_printf(CMDB_VANISHED, path);
	note(s, path, 0, false, p->cmdb_error);
}

void
snapshot_note_conflict(struct snapshot *s, const struct profile *p,
		       unsigned line, const char *text)
{
	AUTO_FREE char *file = base_printf("%s.cmdb", p->name);

	note(s, file, line, true, text);
	s->problems[s->problems_len - 1].conflict_of = base_strdup(p->name);
}

const struct profile *
snapshot_profile(const struct snapshot *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->len; i++)
		if (str_eq(s->profiles[i].name, name))
			return &s->profiles[i];
	return NULL;
}

void
snapshot_free(struct snapshot *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->len; i++) {
		free(s->profiles[i].name);
		patterns_free(s->profiles[i].patterns);
		free(s->profiles[i].specs_text);
		free(s->profiles[i].configure);
		cmdb_free(s->profiles[i].cmdb);
		free(s->profiles[i].cmdb_error);
		free(s->profiles[i].cmdb_remark);
		free(s->profiles[i].problem);
	}
	for (i = 0; i < s->problems_len; i++) {
		free(s->problems[i].file);
		free(s->problems[i].message);
		free(s->problems[i].conflict_of);
	}
	free(s->problems);
	free(s->profiles);
	state_free(s->state);
	free(s->state_text);
	free(s->state_problem);
	site_files_clear(&s->files);
	free(s);
}
