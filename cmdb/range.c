/* Numbers in a text. */
#include <inttypes.h>
#include <string.h>

#include "cmdb/range.h"

static size_t
digits_at(const char *text)
{
	return strspn(text, "0123456789");
}

static uint64_t
number(const char *text, size_t digits)
{
	uint64_t n = 0;

	while (digits-- > 0)
		n = 10 * n + (uint64_t)(*text++ - '0');
	return n;
}

/* "a-b", or "a" where that may stand alone; its length, 0 when it is none. */
static int
read_part(struct range_part *p, const char *text, bool single, size_t *used,
	  struct err *e)
{
	size_t a = digits_at(text), b = 0;

	*used = 0;
	if (a > 0 && text[a] == '-')
		b = digits_at(text + a + 1);
	if (a == 0 || (b == 0 && (!single || text[a] == '-')))
		return 0;
	if (a > RANGE_DIGITS || b > RANGE_DIGITS)
		return err_set(e, ERR_INPUT,
			       "a range of numbers with more than %d digits",
			       RANGE_DIGITS);
	p->from = number(text, a);
	p->to = b ? number(text + a + 1, b) : p->from;
	p->width = text[0] == '0' ? (int)a : 0;
	*used = b ? a + 1 + b : a;
	return 0;
}

static uint64_t
count(const struct range_part *p)
{
	return 1 + (p->from < p->to ? p->to - p->from : p->from - p->to);
}

int
range_read(struct range *out, const char *text, bool single, size_t *used,
	   struct err *e)
{
	size_t at = 0, n;

	*used = 0;
	out->len = out->count = 0;
	for (;;) {
		struct range_part p = { 0 };

		if (read_part(&p, text + at, single, &n, e) < 0)
			return -1;
		if (n == 0)
			return 0;
		if (out->len == RANGE_PARTS)
			return err_set(e, ERR_INPUT,
				       "a range of more than %d parts",
				       RANGE_PARTS);
		out->parts[out->len++] = p;
		out->count += count(&p);
		at += n;
		*used = at;
		if (text[at] != ':')
			return 0;
		at++;
	}
}

void
range_write(const struct range *r, uint64_t i, struct buf *out)
{
	const struct range_part *p = r->parts;

	for (; i >= count(p); p++)
		i -= count(p);
	buf_printf(out, "%0*" PRIu64, p->width,
		   p->from < p->to ? p->from + i : p->from - i);
}
