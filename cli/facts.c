#include <sys/stat.h>

#include "cli/facts.h"
#include "lib/base.h"
#include "lib/file.h"
#include "lib/literal.h"

#define FACTS_FILES_MAX 100000

/* As the first eDeploy wrote them: tuples of texts. */
static int
facts_from_hw(struct facts **out, const char *path, const char *text,
	      size_t len, struct err *e)
{
	const struct literal_opts opts = { .path = path, .max_depth = 3 };
	AUTO(value) v = NULL;
	AUTO_CLEAR(buf) json = { 0 };

	if (literal_parse(&v, text, len, &opts, e) < 0)
		return -1;
	value_json(v, 0, &json);
	if (facts_from_json(out, buf_text(&json), json.len, e) < 0)
		return err_add(e, "%s", path);
	return 0;
}

int
facts_read(const char *path, struct facts **out, struct err *e)
{
	AUTO_FREE char *text = NULL;
	size_t len = 0;

	if (str_eq(path, "-"))
		path = "/dev/stdin";
	if (file_read(path, FACTS_MAX_BYTES, &text, &len, e) < 0)
		return -1;
	if (str_ends(path, ".hw"))
		return facts_from_hw(out, path, text, len, e);
	if (facts_from_json(out, text, len, e) < 0)
		return err_add(e, "%s", path);
	return 0;
}

bool
facts_is_file(const char *word)
{
	return str_eq(word, "-") || strchr(word, '/') || file_exists(word);
}

/* ---- several ---- */

static int
add_file(struct facts_list *l, const char *path, struct err *e)
{
	struct facts *f = NULL;

	if (l->len == FACTS_FILES_MAX)
		return err_set(e, ERR_INPUT, "more than %d files of facts",
			       FACTS_FILES_MAX);
	if (facts_read(path, &f, e) < 0)
		return -1;
	if ((l->len & (l->len - 1)) == 0)
		l->at = base_resize(l->at, l->len ? 2 * l->len : 1,
				    sizeof(*l->at));
	l->at[l->len++] = (struct site_asker){ base_strdup(path), f };
	return 0;
}

static int
add_folder(struct facts_list *l, const char *dir, struct err *e)
{
	char **names = dir_names(dir);
	size_t before = l->len;
	int failed = 0;

	if (!names)
		return err_sys(e, "%s", dir);
	for (size_t i = 0; names[i] && failed == 0; i++) {
		AUTO_FREE char *path = base_printf("%s/%s", dir, names[i]);

		if (str_ends(names[i], ".json") || str_ends(names[i], ".hw"))
			failed = add_file(l, path, e);
	}
	names_free(names);
	if (failed == 0 && l->len == before)
		return err_set(e, ERR_INPUT, "%s: no file NAME.json or NAME.hw",
			       dir);
	return failed;
}

int
facts_list_read(char *const *words, struct facts_list *out, struct err *e)
{
	struct stat st;

	*out = (struct facts_list){ 0 };
	for (size_t i = 0; words[i]; i++) {
		bool folder = stat(words[i], &st) == 0 && S_ISDIR(st.st_mode);

		if ((folder ? add_folder : add_file)(out, words[i], e) < 0)
			return -1;
	}
	return 0;
}

void
facts_list_clear(struct facts_list *l)
{
	for (size_t i = 0; i < l->len; i++) {
		free((char *)(uintptr_t)l->at[i].name);
		facts_free((struct facts *)(uintptr_t)l->at[i].facts);
	}
	free(l->at);
	*l = (struct facts_list){ 0 };
}
