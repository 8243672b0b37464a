#ifndef LIB_ARENA_H
#define LIB_ARENA_H

#include <stddef.h>

#include "lib/base.h"

/* Many small things that live and die together: no single one is freed. */
struct arena;

struct arena *arena_new(void);

/* Zeroed, aligned for everything. `count` times `size` is overflow checked. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* A copy with a NUL behind it, packed close. */
char *arena_copy(struct arena *a, const void *bytes, size_t len);

/* All is gone, and its memory used again. */
void arena_reset(struct arena *a);

void arena_free(struct arena *a);
AUTO_DEFINE(arena)

#endif
