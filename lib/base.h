#ifndef LIB_BASE_H
#define LIB_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Hand a pointer over to its next owner; the variable becomes NULL. */
#define STEAL(p)                                                               \
	({                                                                     \
		__typeof__(p) stolen_ = (p);                                   \
		(p) = NULL;                                                    \
		stolen_;                                                       \
	})

/* Release at the end of the scope. Always initialise the variable. */
#define AUTO_FREE __attribute__((cleanup(auto_free)))
#define AUTO_CLOSE __attribute__((cleanup(auto_close)))
#define AUTO(type) __attribute__((cleanup(type##_freep))) struct type *
#define AUTO_DEFINE(type)                                                      \
	static inline void type##_freep(struct type **p)                       \
	{                                                                      \
		type##_free(*p);                                               \
	}

/* The same for what lives in place: AUTO_CLEAR(buf) b = { 0 }; */
#define AUTO_CLEAR(type) __attribute__((cleanup(type##_clear))) struct type

/* Memory that is never NULL: out of memory ends the process, here and nowhere
 * else. Cap every size that comes from outside before you ask. */
void *base_alloc(size_t size);               /* zeroed */
void *base_array(size_t count, size_t size); /* zeroed, overflow checked */
/* Not zeroed, for megabytes that are used again and again: on large pages,
 * which take fewer faults, where the kernel gives some. */
void *base_large(size_t size);
void *base_resize(void *old, size_t count, size_t size);
char *base_strdup(const char *s);
char *base_strndup(const char *s, size_t len);
char *base_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline void
auto_free(void *p)
{
	void *owned;

	memcpy(&owned, p, sizeof(owned));
	free(owned);
}

static inline void
auto_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* a and b are the same text; NULL equals only NULL. */
static inline bool
str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* `s` starts with `head`. */
static inline bool
str_starts(const char *s, const char *head)
{
	return strncmp(s, head, strlen(head)) == 0;
}

/* `s` ends with `tail`. */
bool str_ends(const char *s, const char *tail);

/* The path `path` lies below the folder `dir`: as texts, both clean, with no
 * "/" at their end. */
static inline bool
path_is_below(const char *path, const char *dir)
{
	return str_starts(path, dir) && path[strlen(dir)] == '/';
}

/* It is that folder, or lies below it. */
static inline bool
path_is_within(const char *path, const char *dir)
{
	return str_eq(path, dir) || path_is_below(path, dir);
}

#endif
