#include "lib/file.h"
#include "lib/log.h"
#include "lib/value.h"
#include "server/hwfile.h"
#include "specs/hwname.h"

static void
write_facts(const struct facts *f, struct buf *out)
{
	size_t i, w;

	buf_char(out, '[');
	for (i = 0; i < facts_len(f); i++) {
		struct value *line = value_tuple();

		for (w = 0; w < FACT_WORDS; w++)
			value_push(line, value_str(facts_at(f, i)->word[w]));
		buf_str(out, i ? ",\n " : "");
		value_literal(line, out);
		value_free(line);
	}
	buf_str(out, "]\n");
}

void
hwfile_keep(const struct conf *c, const struct facts *f)
{
	AUTO_FREE char *name = NULL;
	AUTO_FREE char *path = NULL;
	AUTO_CLEAR(buf) text = { 0 };
	struct err e = { 0 };

	if (!c->hwdir)
		return;
	name = hw_name(f);
	path = base_printf("%s/%s.hw", c->hwdir, name);
	write_facts(f, &text);
	if (file_replace(path, text.at, text.len, 0640, &e) < 0)
		log_line(LOG_WARNING, "HWDIR: %s", e.text);
}
