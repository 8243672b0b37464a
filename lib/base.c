/* Memory that never fails to its caller. A server that cannot allocate can
 * not answer either; every size from outside was capped before it got here. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include "lib/base.h"

static void
die_out_of_memory(void)
{
	static const char text[] = "out of memory\n";

	/* nothing more can be done if even this fails */
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(71);
	abort();
}

#define SMALL 1024

/* calloc of glibc passes by the thread's own free pieces: for small ones,
 * which are most, malloc is the quicker. */
void *
base_alloc(size_t size)
{
	size_t want = size ? size : 1;
	void *p = want <= SMALL ? malloc(want) : calloc(1, want);

	if (!p)
		die_out_of_memory();
	return want <= SMALL ? memset(p, 0, want) : p;
}

void *
base_array(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p)
		die_out_of_memory();
	return p;
}

void *
base_large(size_t size)
{
	const size_t page = 2UL << 20;
	size_t room = (size / page + 1) * page;
	void *p = aligned_alloc(page, room);

	if (!p)
		die_out_of_memory();
	madvise(p, room, MADV_HUGEPAGE); /* a wish */
	return p;
}

void *
base_resize(void *old, size_t count, size_t size)
{
	void *p = reallocarray(old, count ? count : 1, size ? size : 1);

	if (!p)
		die_out_of_memory();
	return p;
}

char *
base_strndup(const char *s, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		die_out_of_memory();
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *
base_strdup(const char *s)
{
	return base_strndup(s, strlen(s));
}

char *
base_printf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		die_out_of_memory();
	va_end(ap);
	return text;
}

bool
str_ends(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n >= t && memcmp(s + n - t, tail, t) == 0;
}
