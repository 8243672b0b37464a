#include "cli/facts.h"
#include "lib/base.h"
#include "lib/file.h"

int
facts_read(const char *path, struct facts **out, struct err *e)
{
	AUTO_FREE char *text = NULL;
	size_t len = 0;

	if (str_eq(path, "-"))
		path = "/dev/stdin";
	if (file_read(path, FACTS_MAX_BYTES, &text, &len, e) < 0)
		return -1;
	if (facts_from_json(out, text, len, e) < 0)
		return err_add(e, "%s", path);
	return 0;
}

bool
facts_is_file(const char *word)
{
	return str_eq(word, "-") || strchr(word, '/') || file_exists(word);
}
