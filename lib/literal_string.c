/* String tokens of the literal syntax. \x and octal escapes give the code
 * point of that number (as Python 3 does), in UTF-8. */
#include <stdint.h>
#include <string.h>

#include "lib/literal_string.h"
#include "lib/text.h"

struct token {
	const char *at, *end;
	struct buf *out;
	struct err *e;
};

static void
add_code_point(uint32_t c, struct buf *out)
{
	if (c < 0x80) {
		buf_char(out, (char)c);
	} else if (c < 0x800) {
		buf_char(out, (char)(0xc0 | (c >> 6)));
		buf_char(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_char(out, (char)(0xe0 | (c >> 12)));
		buf_char(out, (char)(0x80 | ((c >> 6) & 0x3f)));
		buf_char(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_char(out, (char)(0xf0 | (c >> 18)));
		buf_char(out, (char)(0x80 | ((c >> 12) & 0x3f)));
		buf_char(out, (char)(0x80 | ((c >> 6) & 0x3f)));
		buf_char(out, (char)(0x80 | (c & 0x3f)));
	}
}

static int
hex(char c)
{
	const char *digits = "0123456789abcdef", *d;

	if (c >= 'A' && c <= 'F')
		c = (char)(c - 'A' + 'a');
	d = c ? strchr(digits, c) : NULL;
	return d ? (int)(d - digits) : -1;
}

static int
hex_escape(struct token *t, int digits)
{
	uint32_t c = 0;
	int i;

	for (i = 0; i < digits; i++) {
		int h = t->at < t->end ? hex(*t->at) : -1;

		if (h < 0)
			return err_set(t->e, ERR_INPUT,
				       "a \\ escape with too few digits");
		c = c * 16 + (uint32_t)h;
		t->at++;
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return err_set(t->e, ERR_INPUT,
			       "a \\ escape that is no character");
	add_code_point(c, t->out);
	return 0;
}

static int
octal_escape(struct token *t)
{
	uint32_t c = 0;
	int i;

	for (i = 0; i < 3 && t->at < t->end && *t->at >= '0' && *t->at <= '7';
	     i++)
		c = c * 8 + (uint32_t)(*t->at++ - '0');
	if (c == 0)
		return err_set(t->e, ERR_INPUT,
			       "a \\ escape that is a NUL byte");
	add_code_point(c, t->out);
	return 0;
}

/* Behind a backslash. */
static int
escape(struct token *t)
{
	static const char from[] = "ntrabfv\\'\"";
	static const char to[] = "\n\t\r\a\b\f\v\\'\"";
	char c = *t->at++;
	const char *plain = c ? strchr(from, c) : NULL;

	if (plain)
		buf_char(t->out, to[plain - from]);
	else if (c == 'x')
		return hex_escape(t, 2);
	else if (c == 'u')
		return hex_escape(t, 4);
	else if (c == 'U')
		return hex_escape(t, 8);
	else if (c >= '0' && c <= '7') {
		t->at--;
		return octal_escape(t);
	} else if (c != '\n') {
		buf_char(t->out, '\\');
		buf_char(t->out, c);
	}
	return 0;
}

static int
read_inside(struct token *t, char quote, size_t quotes)
{
	while (t->at < t->end) {
		char c = *t->at;

		if (c == quote &&
		    (quotes == 1 || ((size_t)(t->end - t->at) >= 3 &&
				     t->at[1] == quote && t->at[2] == quote))) {
			t->at += quotes;
			return 0;
		}
		if (c == '\n' && quotes == 1)
			break;
		t->at++;
		if (c != '\\')
			buf_char(t->out, c);
		else if (t->at == t->end)
			break;
		else if (escape(t) < 0)
			return -1;
	}
	return err_set(t->e, ERR_INPUT, "a string that does not end");
}

size_t
literal_string(const char *text, size_t len, struct buf *out, struct err *e)
{
	struct token t = { text, text + len, out, e };
	size_t before = out->len;
	size_t quotes =
		len >= 3 && text[1] == text[0] && text[2] == text[0] ? 3 : 1;

	t.at += quotes;
	if (read_inside(&t, text[0], quotes) < 0)
		return 0;
	if (!text_is_utf8(buf_text(out) + before, out->len - before)) {
		err_set(e, ERR_INPUT,
			"text that is not UTF-8: save the file in UTF-8");
		return 0;
	}
	return (size_t)(t.at - text);
}
