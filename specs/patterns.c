/* A .specs file: literal rows in, compiled patterns out. */
#include <stdio.h>

#include "specs/pattern.h"
#include "lib/literal.h"
#include "lib/num.h"

static int
refuse(const char *path, const struct value *at, const char *what,
       struct err *e)
{
	return err_set(e, ERR_INPUT, "%s:%u:%u: %s", path, at->line, at->column,
		       what);
}

static void
warn(struct patterns *p, const struct value *at, char *text)
{
	p->warnings = base_resize(p->warnings, p->warnings_len + 1,
				  sizeof(*p->warnings));
	p->warnings[p->warnings_len++] = (struct warning){ at->line, text };
}

static int
variable_of(struct patterns *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->variables_len; i++)
		if (str_eq(p->variables[i], name))
			return (int)i;
	p->variables = base_resize(p->variables, p->variables_len + 2,
				   sizeof(*p->variables));
	p->keys = base_resize(p->keys, p->variables_len + 1, sizeof(*p->keys));
	p->keys[p->variables_len] = false;
	p->variables[p->variables_len++] = base_strdup(name);
	p->variables[p->variables_len] = NULL;
	return (int)p->variables_len - 1;
}

/* `text` is what stands behind "$x=", or the whole word. */
static int
take_call(struct patterns *p, struct word *w, const char *text,
	  const struct value *at, const char *path, struct err *e)
{
	enum predicate_shape shape = predicate_shape(text);

	if (shape == PREDICATE_CALL) {
		if (predicate_parse(&w->holds, text, e) < 0)
			return err_add(e, "%s:%u:%u", path, at->line,
				       at->column);
		return 0;
	}
	if (shape == PREDICATE_UNKNOWN && predicate_meant(text))
		warn(p, at,
		     base_printf("'%s' is plain text; the predicate is "
				 "spelled %s",
				 text, predicate_meant(text)));
	w->never = w->variable >= 0;
	if (w->never)
		warn(p, at,
		     base_printf("'%s': behind = stands no predicate, so "
				 "no fact fits",
				 w->text));
	return 0;
}

/* $x, $$x, $x=pred() */
static int
take_variable(struct patterns *p, struct word *w, const struct value *at,
	      const char *path, struct err *e)
{
	size_t dollars = str_starts(w->text, "$$") ? 2 : 1;
	AUTO_FREE char *name = base_strdup(w->text + dollars);
	char *equals = strchr(name, '=');

	if (equals)
		*equals = '\0';
	if (!*name)
		return refuse(path, at, "a variable without a name", e);
	w->variable = variable_of(p, name);
	if (dollars == 2)
		p->keys[w->variable] = true;
	if (!equals)
		return 0;
	return take_call(p, w, equals + 1, at, path, e);
}

static int
take_word(struct patterns *p, struct word *w, const struct value *at,
	  const char *path, struct err *e)
{
	char number[32];

	w->variable = -1;
	if (at->kind == VALUE_INT) {
		w->text = base_printf("%lld", (long long)at->integer);
		return 0;
	}
	if (at->kind == VALUE_REAL) {
		num_real_text(at->real, number);
		w->text = base_strdup(number);
		return 0;
	}
	if (at->kind != VALUE_STR)
		return refuse(path, at, "a word is a text or a number", e);
	if (at->str.len > FACT_WORD_MAX)
		return refuse(path, at, "a word of more than 4096 bytes", e);
	w->text = base_strndup(at->str.at, at->str.len);
	if (w->text[0] == '$')
		return take_variable(p, w, at, path, e);
	return take_call(p, w, w->text, at, path, e);
}

static int
take_row(struct patterns *p, const struct value *row, const char *path,
	 struct err *e)
{
	struct pattern *to = &p->at[p->len];
	AUTO_CLEAR(buf) text = { 0 };
	size_t i;

	if (row->kind != VALUE_TUPLE && row->kind != VALUE_LIST)
		return refuse(path, row,
			      "a pattern is ('class', 'name', "
			      "'property', 'value')",
			      e);
	if (row->list.len != FACT_WORDS)
		return refuse(path, row, "a pattern has four words", e);
	p->len++;
	to->line = row->line;
	for (i = 0; i < FACT_WORDS; i++) {
		struct value *shown;

		if (take_word(p, &to->word[i], row->list.at[i], path, e) < 0)
			return -1;
		shown = value_str(to->word[i].text);
		buf_str(&text, i ? ", " : "(");
		value_literal(shown, &text);
		value_free(shown);
	}
	buf_char(&text, ')');
	to->text = buf_take(&text);
	return 0;
}

int
patterns_parse(struct patterns **out, const char *path, const char *text,
	       size_t len, struct err *e)
{
	const struct literal_opts opts = { .path = path,
					   .max_bytes = PATTERNS_MAX_BYTES };
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	AUTO(patterns) p = base_alloc(sizeof(*p));
	size_t i;

	p->variables = base_alloc(sizeof(*p->variables));
	if (literal_parse(&v, text, len, &opts, e) < 0)
		return -1;
	if (v->kind != VALUE_LIST && v->kind != VALUE_TUPLE)
		return refuse(path, v, "a .specs file is a list of patterns",
			      e);
	if (v->list.len > PATTERNS_MAX)
		return refuse(path, v, "more than 4096 patterns", e);
	p->at = base_array(v->list.len, sizeof(*p->at));
	for (i = 0; i < v->list.len; i++)
		if (take_row(p, v->list.at[i], path, e) < 0)
			return -1;
	*out = STEAL(p);
	return 0;
}

size_t
patterns_len(const struct patterns *p)
{
	return p->len;
}

const char *
patterns_text(const struct patterns *p, size_t i)
{
	return p->at[i].text;
}

unsigned
patterns_line(const struct patterns *p, size_t i)
{
	return p->at[i].line;
}

const char *const *
patterns_variables(const struct patterns *p)
{
	return (const char *const *)p->variables;
}

const char *
patterns_warning(const struct patterns *p, size_t i, unsigned *line)
{
	if (i >= p->warnings_len)
		return NULL;
	*line = p->warnings[i].line;
	return p->warnings[i].text;
}

void
patterns_free(struct patterns *p)
{
	size_t i, w;

	if (!p)
		return;
	for (i = 0; i < p->len; i++) {
		for (w = 0; w < FACT_WORDS; w++) {
			free(p->at[i].word[w].text);
			predicate_free(p->at[i].word[w].holds);
		}
		free(p->at[i].text);
	}
	for (i = 0; i < p->warnings_len; i++)
		free(p->warnings[i].text);
	for (i = 0; p->variables && p->variables[i]; i++)
		free(p->variables[i]);
	free(p->warnings);
	free(p->variables);
	free(p->keys);
	free(p->at);
	free(p);
}
