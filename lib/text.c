#include <ctype.h>
#include <string.h>

#include "lib/base.h"
#include "lib/text.h"

void
text_shell_quote(const char *text, struct buf *out)
{
	buf_char(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_str(out, "'\\''");
		else
			buf_char(out, *text);
	}
	buf_char(out, '\'');
}

/* Length of the UTF-8 sequence at `s`, 0 when it is not one. */
static size_t
utf8_len(const unsigned char *s, size_t left)
{
	size_t n, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (n > left)
		return 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, past U+10FFFF */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

bool
text_is_utf8(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i, n;

	for (i = 0; i < len; i += n) {
		n = utf8_len(s + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

/* Length of what a terminal may be sent as it is: 0 for controls, C1 among
 * them, and for what is no UTF-8. */
static size_t
shown_len(const unsigned char *s, size_t left)
{
	size_t n = utf8_len(s, left);
	bool control = n == 1 ? s[0] < 0x20 || s[0] == 0x7f
			      : n == 2 && s[0] == 0xc2 && s[1] < 0xa0;

	return control && s[0] != '\n' && s[0] != '\t' ? 0 : n;
}

void
text_show(const char *text, size_t len, int one_line, struct buf *out)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i, n;

	for (i = 0; i < len; i += n ? n : 1) {
		n = shown_len(s + i, len - i);
		if (n == 0)
			buf_printf(out, "\\x%02x", s[i]);
		else if (s[i] == '\n' && one_line)
			buf_str(out, "\\n");
		else
			buf_add(out, text + i, n);
	}
}

void
text_url_encode(const char *text, struct buf *out)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x80 && (isalnum(c) || strchr("-._~", c)))
			buf_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

int
text_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

long
text_url_decode(char *text)
{
	char *from = text, *to = text;

	while (*from) {
		int high, low;

		if (*from != '%') {
			*to++ = *from == '+' ? ' ' : *from;
			from++;
			continue;
		}
		high = text_hex_digit(from[1]);
		low = high < 0 ? -1 : text_hex_digit(from[2]);
		if (low < 0 || high * 16 + low == 0)
			return -1;
		*to++ = (char)(high * 16 + low);
		from += 3;
	}
	*to = '\0';
	return to - text;
}

char *
text_trim(char *text)
{
	size_t n;

	while (*text && strchr(" \t\r\n", *text))
		text++;
	n = strlen(text);
	while (n > 0 && strchr(" \t\r\n", text[n - 1]))
		text[--n] = '\0';
	return text;
}
