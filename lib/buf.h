#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stdarg.h>
#include <stddef.h>

/* Bytes that grow. Always NUL-terminated behind `len` once something was
 * added; `{ 0 }` is empty and valid. Not capped: cap what you add. */
struct buf {
	char *at;
	size_t len, cap;
};

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_str(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0), nonnull(2)));

/* Room for `len` more bytes; the caller fills it and adds to b->len. */
char *buf_room(struct buf *b, size_t len);

/* The text so far, "" when empty. Borrowed, until the next change. */
const char *buf_text(const struct buf *b);

/* The text, owned by the caller (never NULL); the buffer is empty again. */
char *buf_take(struct buf *b);

/* Empty, keeping the memory. */
void buf_reset(struct buf *b);

/* Frees what it holds; use as AUTO_CLEAR(buf) b = { 0 }. */
void buf_clear(struct buf *b);

#endif
