/* generate(): one model for many entries. */
#include <inttypes.h>

#include "cmdb/generate.h"
#include "cmdb/series.h"

static int
refuse(const struct value *v, const struct generate_opts *o, const char *what,
       struct err *e)
{
	return err_set(e, ERR_INPUT, "%s:%u:%u: %s", o->path, v->line,
		       v->column, what);
}

/* A model that marks a key anywhere with = expands its marked keys only. */
static bool
has_marks(const struct value *v)
{
	for (size_t i = 0; v->kind == VALUE_DICT && i < v->dict.len; i++)
		if (v->dict.at[i].key[0] == '=' ||
		    has_marks(v->dict.at[i].value))
			return true;
	return false;
}

static int
read_call(const struct value *call, const struct generate_opts *o,
	  const struct value **model, const char **prefix, struct err *e)
{
	const struct value *arg = call->call.arg, *mark = NULL;

	if (arg->kind == VALUE_TUPLE && arg->list.len == 2) {
		mark = arg->list.at[1];
		arg = arg->list.at[0];
	}
	if (arg->kind != VALUE_DICT)
		return refuse(arg, o,
			      "generate() takes a dict: "
			      "generate({'name': 'host1-9', ...})",
			      e);
	if (mark && mark->kind != VALUE_NONE &&
	    (mark->kind != VALUE_STR || mark->str.len == 0))
		return refuse(mark, o,
			      "the prefix of generate() is a text, as '='", e);
	*model = arg;
	*prefix = has_marks(arg) ? "=" : NULL;
	if (mark)
		*prefix = mark->kind == VALUE_STR ? mark->str.at : NULL;
	return 0;
}

/* A key that has none or too many. */
static int
judge(const struct value *model, const struct series *s,
      const struct generate_opts *o, uint64_t n, struct err *e)
{
	AUTO_FREE char *why = NULL;
	const char *longest;
	uint64_t most;
	const char *key = series_shortest(s, &longest, &most);

	if (n == 0)
		why = base_printf("'%.60s' has no value, so there is no entry; "
				  "give it some, or write [] for none",
				  key);
	else if (n > o->max)
		why = base_printf("more than %" PRIu64 " entries; '%.60s' has "
				  "the fewest values: shorten it",
				  o->max, key);
	return why ? refuse(model, o, why, e) : 0;
}

static char *
remark_on(const struct value *model, const struct series *s,
	  const struct generate_opts *o)
{
	const char *longest;
	uint64_t most;
	const char *key = series_shortest(s, &longest, &most);

	if (!longest)
		return NULL;
	return base_printf("%s:%u:%u: %" PRIu64 " entries: '%.60s' has no more "
			   "values, '%.60s' has %" PRIu64,
			   o->path, model->line, model->column, series_len(s),
			   key, longest, most);
}

int
generate_write(const struct value *call, const struct generate_opts *o,
	       struct buf *out, char **remark, struct err *e)
{
	const struct value *model = NULL;
	const char *prefix = NULL;
	AUTO(series) s = NULL;
	uint64_t n;

	*remark = NULL;
	if (read_call(call, o, &model, &prefix, e) < 0 ||
	    series_open(&s, model, prefix, o->path, e) < 0)
		return -1;
	n = series_len(s);
	if (n == SERIES_CONSTANT)
		n = 1; /* nothing to count with: the model is the entry */
	if (judge(model, s, o, n, e) < 0)
		return -1;
	buf_printf(out, "[%s", o->eol);
	for (uint64_t i = 0; i < n; i++) {
		buf_str(out, "    ");
		series_write(s, i, out);
		buf_printf(out, ",%s", o->eol);
		if (out->len > o->max_bytes)
			return refuse(model, o,
				      "its entries are too much text for one "
				      "file; make two profiles of it",
				      e);
	}
	buf_char(out, ']');
	*remark = remark_on(model, s, o);
	return 0;
}
