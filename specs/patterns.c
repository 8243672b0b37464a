/* From the rows of a .specs text to compiled patterns. Everything that can be
 * wrong with a profile is found here, once, at load, and not while a machine
 * waits. */
#include <inttypes.h>
#include <stdio.h>

#include "specs/pattern.h"
#include "lib/literal.h"
#include "lib/num.h"
#include "lib/value.h"

struct loading {
	struct patterns *p;
	const char *path;
	const struct value *here; /* the word being read */
	struct err *e;
};

static int
refuse(struct loading *l, const struct value *v, const char *what)
{
	return err_set(l->e, ERR_INPUT, "%s:%u:%u: %s", l->path, v->line,
		       v->column, what);
}

static void
warn(struct loading *l, const char *what, const char *text)
{
	struct patterns *p = l->p;
	struct pattern_warning *w;

	p->warnings = base_resize(p->warnings, p->warnings_len + 1,
				  sizeof(*p->warnings));
	w = &p->warnings[p->warnings_len++];
	w->line = l->here->line;
	w->text = base_printf("'%.80s': %s", text, what);
}

static int
add_name(struct patterns *p, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < p->names_len; i++)
		if (strlen(p->names[i]) == len &&
		    memcmp(p->names[i], name, len) == 0)
			return (int)i;
	p->names = base_resize(p->names, i + 2, sizeof(char *));
	p->key = base_resize(p->key, i + 1, sizeof(bool));
	p->names[i] = base_strndup(name, len);
	p->names[i + 1] = NULL;
	p->key[i] = false;
	p->names_len++;
	return (int)i;
}

static int
read_call(struct loading *l, const char *text, struct predicate **out)
{
	const char *odd = NULL;

	if (predicate_parse(out, text, &odd, l->e) < 0)
		return err_add(l->e, "%s:%u:%u", l->path, l->here->line,
			       l->here->column);
	if (odd)
		warn(l, odd, text);
	return 0;
}

/* $name, $$name, $name=call(...), split at the first '='. */
static int
read_variable(struct loading *l, struct pattern_word *w)
{
	const char *name = w->text + 1;
	bool key = *name == '$';
	const char *end;

	name += key;
	end = strchrnul(name, '=');
	if (end == name)
		return refuse(l, l->here, "a variable without a name");
	if (*name == '$')
		return refuse(l, l->here,
			      "three '$'; write $name, or $$name for a name "
			      "that chooses the CMDB entry");
	w->variable = add_name(l->p, name, (size_t)(end - name));
	if (key)
		l->p->key[w->variable] = true;
	return *end ? read_call(l, end + 1, &w->test) : 0;
}

/* Text that resembles a call may be a product's name; the person who checks
 * the site is told, and it stays text. */
static void
look_for_near_miss(struct loading *l, const char *text)
{
	const char *near = predicate_near_miss(text);
	char what[120];

	if (!near)
		return;
	if (*near)
		snprintf(what, sizeof(what),
			 "taken as plain text; did you mean %s(...)?", near);
	else
		snprintf(what, sizeof(what),
			 "taken as plain text; predicates are %s",
			 predicate_names());
	warn(l, what, text);
}

static char *
word_text(const struct value *v)
{
	char real[32];

	if (v->kind == VALUE_INT)
		return base_printf("%" PRId64, v->integer);
	if (v->kind == VALUE_REAL) {
		num_real_text(v->real, real);
		return base_strdup(real);
	}
	return base_strndup(v->str.at, v->str.len);
}

static int
read_word(struct loading *l, const struct value *v, struct pattern_word *w)
{
	l->here = v;
	w->variable = -1;
	if (v->kind != VALUE_STR && v->kind != VALUE_INT &&
	    v->kind != VALUE_REAL)
		return refuse(l, v, "a word is text or a number");
	if (v->kind == VALUE_STR && v->str.len > FACT_WORD_MAX)
		return refuse(l, v, "a word longer than 4096 bytes");
	if (v->kind == VALUE_STR && memchr(v->str.at, '\0', v->str.len))
		return refuse(l, v, "a word with a NUL byte");
	w->text = word_text(v);
	if (w->text[0] == '$')
		return read_variable(l, w);
	if (predicate_is_call(w->text))
		return read_call(l, w->text, &w->test);
	look_for_near_miss(l, w->text);
	return 0;
}

static int
read_row(struct loading *l, const struct value *v)
{
	struct pattern *row = &l->p->at[l->p->len];
	AUTO_CLEAR(buf) text = { 0 };

	if (v->kind != VALUE_TUPLE && v->kind != VALUE_LIST)
		return refuse(l, v,
			      "not a row of four words; is a comma missing?");
	if (v->list.len != FACT_WORDS)
		return refuse(l, v,
			      "a row has four words: class, name, property, "
			      "value");
	l->p->len++;
	row->line = v->line;
	for (int i = 0; i < FACT_WORDS; i++) {
		if (read_word(l, v->list.at[i], &row->word[i]) < 0)
			return -1;
		row->binds = row->binds || row->word[i].variable >= 0;
		row->calls = row->calls || row->word[i].test;
	}
	value_literal(v, &text);
	row->text = buf_take(&text);
	return 0;
}

static int
read_rows(struct loading *l, const struct value *v)
{
	if (v->kind != VALUE_LIST && v->kind != VALUE_TUPLE)
		return refuse(l, v, "not a list of rows");
	if (v->list.len > PATTERNS_MAX)
		return refuse(l, v, "more than 4096 rows");
	l->p->at = base_array(v->list.len + 1, sizeof(struct pattern));
	for (size_t i = 0; i < v->list.len; i++)
		if (read_row(l, v->list.at[i]) < 0)
			return -1;
	return 0;
}

/* ---- rows that are alike ---- */

/* The two fit the same facts: a variable may have another name, where the same
 * words of the row have one name. */
static bool
is_like(const struct pattern *a, const struct pattern *b)
{
	for (int w = 0; w < FACT_WORDS; w++) {
		const struct pattern_word *x = &a->word[w], *y = &b->word[w];

		if ((x->variable < 0) != (y->variable < 0) ||
		    !x->test != !y->test)
			return false;
		if (x->variable < 0 ? !str_eq(x->text, y->text)
				    : x->test && !str_eq(strchr(x->text, '='),
							 strchr(y->text, '=')))
			return false;
		for (int v = 0; v < w && x->variable >= 0; v++)
			if ((x->variable == a->word[v].variable) !=
			    (y->variable == b->word[v].variable))
				return false;
	}
	return true;
}

#define ALIKE_WITHIN 256 /* rows: this is about disks of one machine */

static void
find_alike(struct patterns *p)
{
	for (size_t i = 0; i < p->len; i++) {
		size_t k = i > ALIKE_WITHIN ? i - ALIKE_WITHIN : 0;

		while (k < i &&
		       (p->at[k].like < k || !is_like(&p->at[k], &p->at[i])))
			k++;
		p->at[i].like = k;
	}
}

static struct patterns *
patterns_new(void)
{
	struct patterns *p = base_alloc(sizeof(*p));

	p->names = base_array(1, sizeof(char *));
	return p;
}

int
patterns_parse(struct patterns **out, const char *path, const char *text,
	       size_t len, struct err *e)
{
	const struct literal_opts opts = { .path = path,
					   .max_bytes = PATTERNS_MAX_BYTES,
					   .max_depth = 8 };
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	AUTO(patterns) p = patterns_new();
	struct loading l = { .p = p, .path = path, .e = e };

	if (literal_parse(&v, text, len, &opts, e) < 0 || read_rows(&l, v) < 0)
		return -1;
	find_alike(p);
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
	return i < p->len ? p->at[i].text : NULL;
}

unsigned
patterns_line(const struct patterns *p, size_t i)
{
	return i < p->len ? p->at[i].line : 0;
}

const char *const *
patterns_variables(const struct patterns *p)
{
	return (const char *const *)p->names;
}

const char *
patterns_warning(const struct patterns *p, size_t i, unsigned *line)
{
	if (i >= p->warnings_len)
		return NULL;
	*line = p->warnings[i].line;
	return p->warnings[i].text;
}

static void
free_texts(char **at)
{
	for (size_t i = 0; at && at[i]; i++)
		free(at[i]);
	free(at);
}

void
patterns_free(struct patterns *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->len; i++) {
		for (int w = 0; w < FACT_WORDS; w++) {
			free(p->at[i].word[w].text);
			predicate_free(p->at[i].word[w].test);
		}
		free(p->at[i].text);
	}
	free(p->at);
	free(p->key);
	free_texts(p->names);
	for (size_t i = 0; i < p->warnings_len; i++)
		free(p->warnings[i].text);
	free(p->warnings);
	free(p);
}
