/* A .specs text for a machine that was seen: what an operator would write who
 * wants more of its kind. What tells one machine from its like (serials, MACs,
 * firmware) stays out, or is a variable. */
#include <stdarg.h>

#include "lib/num.h"
#include "lib/text.h"
#include "lib/value.h"
#include "site/propose.h"
#include "specs/match.h"

/* ---- words ---- */

/* Tried beside a variable: a row without one also takes a fact that has the
 * row's very text, predicate or not. */
bool
propose_fits(const char *word, const char *value)
{
	const char *const words[FACT_WORDS] = { "x", "$x", "x", word };
	AUTO(value) row = value_list();
	AUTO(value) rows = value_list();
	AUTO(patterns) p = NULL;
	AUTO(facts) f = facts_new();
	AUTO_CLEAR(buf) text = { 0 };
	struct match m = { 0 };
	struct err e = { 0 };
	unsigned line;
	bool hit;

	for (int i = 0; i < FACT_WORDS; i++)
		value_push(row, value_str(words[i]));
	value_push(rows, STEAL(row));
	value_literal(rows, &text);
	facts_add(f, "x", "x", "x", value);
	if (*word == '$' ||
	    patterns_parse(&p, "row", text.at, text.len, &e) < 0 ||
	    patterns_warning(p, 0, &line))
		return false;
	match_run(p, f, 0, &m);
	hit = m.outcome == MATCH_HIT;
	match_clear(&m);
	return hit;
}

/* The word that fits this value and no other; NULL when there is none. What
 * looks like a variable or a predicate is text inside in(). */
char *
propose_word(const char *value)
{
	char *forms[] = { base_strdup(value), base_printf("in(\"%s\")", value),
			  base_printf("in('%s')", value) };
	char *word = NULL;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (!word && propose_fits(forms[i], value))
			word = STEAL(forms[i]);
		free(forms[i]);
	}
	return word;
}

uint64_t
propose_number(const char *text)
{
	struct err ignored = { 0 };
	uint64_t n = 0;

	if (!text ||
	    num_u64(text, 0, UINT64_MAX / 200, &n, "number", &ignored) < 0)
		return 0;
	return n;
}

/* ---- rows ---- */

void
propose_row(struct proposal *p, const char *class, const char *name,
	    const char *property, const char *word)
{
	const char *const words[FACT_WORDS] = { class, name, property, word };
	AUTO(value) row = value_tuple();

	for (int i = 0; i < FACT_WORDS; i++)
		value_push(row, value_str(words[i]));
	buf_str(p->out, "    ");
	value_literal(row, p->out);
	buf_str(p->out, ",\n");
	p->rows++;
}

/* What comes from facts has no control bytes in a comment. */
__attribute__((format(printf, 2, 0))) static void
put_comment(struct proposal *p, const char *fmt, va_list ap)
{
	AUTO_CLEAR(buf) text = { 0 };

	buf_vprintf(&text, fmt, ap);
	buf_str(p->out, "    # ");
	text_show(buf_text(&text), text.len, 1, p->out);
	buf_char(p->out, '\n');
}

void
propose_comment(struct proposal *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_comment(p, fmt, ap);
	va_end(ap);
}

void
propose_part(struct proposal *p, const char *fmt, ...)
{
	va_list ap;

	if (p->rows > 0)
		buf_char(p->out, '\n');
	va_start(ap, fmt);
	put_comment(p, fmt, ap);
	va_end(ap);
}

/* The row of a fact as it is; false when there is none. */
static bool
put_fact(struct proposal *p, const char *class, const char *name,
	 const char *property)
{
	const char *value = facts_find(p->f, class, name, property);
	AUTO_FREE char *word = value ? propose_word(value) : NULL;

	if (word)
		propose_row(p, class, name, property, word);
	return word != NULL;
}

/* ---- system, processors, memory ---- */

static void
propose_model(struct proposal *p)
{
	if (!facts_find(p->f, "system", "product", "vendor") &&
	    !facts_find(p->f, "system", "product", "name"))
		return;
	propose_part(p, "the model; a regexp() may take its relatives, too");
	put_fact(p, "system", "product", "vendor");
	put_fact(p, "system", "product", "name");
	if (!facts_find(p->f, "system", "product", "serial"))
		return;
	propose_comment(p, "to choose its entry of a CMDB by its serial:");
	propose_comment(p, "('system', 'product', 'serial', '$$serial'),");
}

static void
propose_cpu(struct proposal *p)
{
	const char *threads = facts_find(p->f, "cpu", "logical", "number");
	uint64_t n = propose_number(threads);
	AUTO_FREE char *word = base_printf("ge(%llu)", (unsigned long long)n);

	if (!n && !facts_find(p->f, "cpu", "physical", "number"))
		return;
	propose_part(p, "processors: sockets, and threads at least");
	put_fact(p, "cpu", "physical", "number");
	if (n)
		propose_row(p, "cpu", "logical", "number", word);
}

/* Two digits of it: another BIOS may keep a little for itself. */
static uint64_t
round_down(uint64_t n)
{
	uint64_t unit = 1;

	while (n / unit >= 100)
		unit *= 10;
	return n / unit * unit;
}

static void
propose_memory(struct proposal *p)
{
	uint64_t n =
		propose_number(facts_find(p->f, "memory", "total", "size"));
	AUTO_FREE char *word =
		base_printf("ge(%llu)", (unsigned long long)round_down(n));

	if (!n)
		return;
	propose_part(p, "memory in bytes: it has %llu", (unsigned long long)n);
	propose_row(p, "memory", "total", "size", word);
}

/* ---- the whole ---- */

/* A proposal that does not fit its own machine must not be seen. */
static int
verify(const struct facts *f, const struct buf *text, struct err *e)
{
	AUTO(patterns) p = NULL;
	struct match m = { 0 };
	size_t failed;
	bool hit;

	if (patterns_parse(&p, "proposal", buf_text(text), text->len, e) < 0)
		return -1;
	match_run(p, f, 0, &m);
	hit = m.outcome == MATCH_HIT;
	failed = m.failed;
	match_clear(&m);
	if (hit)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "no profile could be proposed: the machine itself does "
		       "not fit %s",
		       patterns_text(p, failed));
}

int
site_propose(const struct facts *f, struct buf *out, struct err *e)
{
	struct proposal p = { .f = f, .out = out };

	buf_str(out,
		"# Proposed from the facts of one machine. Take out what does "
		"not matter, widen\n"
		"# what may differ. Left out: serials, MACs and firmware, "
		"which its like have\n"
		"# others of, and PCI devices.\n[\n");
	propose_model(&p);
	propose_cpu(&p);
	propose_memory(&p);
	propose_disks(&p);
	propose_network(&p);
	buf_str(out, "]\n");
	if (p.rows == 0)
		return err_set(e, ERR_INPUT,
			       "these facts say nothing that a profile could "
			       "ask for");
	return verify(f, out, e);
}
