/* Where sites are tried out. */
#include <errno.h>

#include "lib/file.h"
#include "lib/log.h"
#include "lib/text.h"
#include "site/scratch.h"
#include "site/snapshot.h"

int
scratch_make(struct scratch *t, struct err *e)
{
	const char *base = getenv("TMPDIR");
	AUTO_FREE char *dir = base_printf("%s/edeploy-replay-XXXXXX",
					  base && *base ? base : "/tmp");

	if (!mkdtemp(dir))
		return err_sys(e, "%s", dir);
	t->dir = STEAL(dir);
	return 0;
}

int
scratch_make_in(struct scratch *t, const char *storedir, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/replay", storedir);
	AUTO_FREE char *lock = base_printf("%s.lock", dir);

	if (lock_take(&t->lock, lock, 0, e) < 0)
		return e->kind == ERR_REFUSED
			       ? err_set(e, ERR_REFUSED,
					 "another replay is under way; ask "
					 "again when it is done")
			       : -1;
	if (dir_remove(dir, e) < 0 || dir_make(dir, 0700, e) < 0)
		return -1;
	t->dir = STEAL(dir);
	return 0;
}

void
scratch_clear(struct scratch *t)
{
	struct err e = { 0 };

	if (t->dir && dir_remove(t->dir, &e) < 0)
		log_line(LOG_WARNING, "%s", e.text);
	free(t->dir);
	t->dir = NULL;
	lock_clear(&t->lock);
}

static int
write_one(const char *dir, const struct member *m, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/%s", dir, m->key);

	if (!site_file_belongs(m->key) || m->value->kind != VALUE_STR)
		return err_set(e, ERR_INPUT,
			       "files: \"%.80s\" is no file of a site, or has "
			       "no text",
			       m->key);
	return file_write(path, m->value->str.at, m->value->str.len, 0600, e);
}

int
scratch_write_site(const struct scratch *t, const struct value *files,
		   char **dir, struct err *e)
{
	*dir = base_printf("%s/site", t->dir);
	if (!files || files->kind != VALUE_DICT)
		return err_set(e, ERR_INPUT,
			       "the body must be {\"files\": {NAME: TEXT}}");
	if (dir_make(*dir, 0700, e) < 0)
		return -1;
	for (size_t i = 0; i < files->dict.len; i++)
		if (write_one(*dir, &files->dict.at[i], e) < 0)
			return -1;
	return 0;
}

struct conf
scratch_conf(const struct scratch *t, const char *name, const struct conf *of,
	     const char *configdir)
{
	struct conf c = *of;

	c.configdir = (char *)(uintptr_t)configdir;
	c.storedir = base_printf("%s/%s", t->dir, name);
	return c;
}

/* ---- the files to try ---- */

static int
take_file(struct value *files, const char *dir, const char *name, size_t left,
	  struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/%s", dir, name);
	AUTO_FREE char *text = NULL;
	size_t len = 0;

	if (file_read(path, left, &text, &len, e) < 0)
		return -1;
	if (!text_is_utf8(text, len) || memchr(text, 0, len))
		return err_set(e, ERR_INPUT,
			       "%s: not UTF-8; a site's files are text", path);
	value_set(files, name, value_strn(text, len));
	return (int)len;
}

int
site_texts(const char *dir, struct value **out, struct err *e)
{
	AUTO(value) files = value_dict();
	char **names = dir_names(dir);
	size_t left = SITE_TEXTS_MAX;
	int len = 0;

	if (!names)
		return err_sys(e, "%s", dir);
	for (size_t i = 0; names[i] && len >= 0; i++) {
		if (!site_file_belongs(names[i]))
			continue;
		len = take_file(files, dir, names[i], left, e);
		left -= len > 0 ? (size_t)len : 0;
	}
	names_free(names);
	if (len < 0)
		return -1;
	*out = STEAL(files);
	return 0;
}
