#include <stdio.h>

#include "lib/base.h"
#include "lib/buf.h"

#define FIRST_CAP 64

char *
buf_room(struct buf *b, size_t len)
{
	if (b->cap - b->len <= len) {
		size_t want = b->len + len + 1;

		b->cap = b->cap ? 2 * b->cap : FIRST_CAP;
		if (b->cap < want)
			b->cap = want;
		b->at = base_resize(b->at, b->cap, 1);
	}
	return b->at + b->len;
}

void
buf_add(struct buf *b, const void *bytes, size_t len)
{
	char *to = buf_room(b, len);

	if (len > 0)
		memcpy(to, bytes, len);
	b->len += len;
	b->at[b->len] = '\0';
}

void
buf_str(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void
buf_char(struct buf *b, char c)
{
	char *to = buf_room(b, 1);

	to[0] = c;
	to[1] = '\0';
	b->len++;
}

/* Written where there is room, and once more when there was too little. */
void
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	size_t room = b->cap - b->len;
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(b->at ? b->at + b->len : NULL, room, fmt, again);
	va_end(again);
	if (len <= 0)
		return;
	if ((size_t)len >= room)
		vsnprintf(buf_room(b, (size_t)len), (size_t)len + 1, fmt, ap);
	b->len += (size_t)len;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

const char *
buf_text(const struct buf *b)
{
	return b->at ? b->at : "";
}

char *
buf_take(struct buf *b)
{
	char *text = b->at ? b->at : base_strdup("");

	*b = (struct buf){ 0 };
	return text;
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->at)
		b->at[0] = '\0';
}

void
buf_clear(struct buf *b)
{
	free(b->at);
	*b = (struct buf){ 0 };
}
