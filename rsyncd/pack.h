#ifndef RSYNCD_PACK_H
#define RSYNCD_PACK_H

#include "rsyncd/manifest.h"

/* docs/formats.md "Packs": the table, and the writer. */
#define PACK_TABLE_MAX (1UL << 30)
#define PACK_FRAME_MAX (17UL << 20) /* compressed */

/* Contents of this size and more begin a frame of their own and are cut into
 * frames of PACK_LARGE_RAW, so that a part of them can be fetched alone; the
 * others share frames of up to FRAME_RAW_MAX (less in the first ones), and none
 * of them is in two. */
#define PACK_LARGE (8UL << 20)
#define PACK_LARGE_RAW (2UL << 20)

struct pack_frame {
	uint64_t at;     /* offset of its compressed bytes */
	uint64_t raw_at; /* offset of its raw bytes */
	uint32_t size, raw;
	struct digest hash; /* of the compressed bytes */
};

struct pack_blob {
	unsigned char head[12]; /* short hash of the content */
	uint64_t at, size;      /* in the raw bytes of all frames */
};

struct pack_table {
	struct pack_frame *frame;
	size_t frames;
	struct pack_blob *blob;
	size_t blobs;
};

/* `end`: the bytes before the table, which the frames must add up to.
 * ERR_INPUT with line. */
int pack_table_parse(struct pack_table **out, const char *text, size_t len,
		     uint64_t end, const char *name, struct err *e);
char *pack_table_text(const struct pack_table *t, size_t *len);
void pack_table_free(struct pack_table *t);
AUTO_DEFINE(pack_table)

/* Where a file with a table at its end has that table: the numbers of a seal's
 * line. */
struct table_place {
	uint64_t size;      /* of the whole file */
	uint64_t at;        /* where the table's frame begins */
	struct digest hash; /* of the table's compressed bytes */
	uint64_t raw;
};

/* Is it below etc/, and no large one? People edit files there, and then their
 * host has to fetch at each upgrade what was published in place of what they
 * made of it: these contents share no frame with others, so that this is some
 * hundred kilobytes and not the frames of half a tree. */
bool pack_is_edited(const struct content *c);

/* The order in which contents compress best: what is alike stands together.
 * What people edit first, large ones last; then by size (512 KiB and more
 * later), extension, base name, path. On a Debian tree of 700 MB this makes
 * 0.29 of it at level 3, where the order of paths makes 0.33. */
void pack_order(const struct content **want, size_t len);

/* Contents to pack, in the order of `want`. */
struct pack_opts {
	int dirfd; /* of the tree that holds them */
	const struct content *const *want;
	size_t want_len;
	int level;
	int threads; /* 0: as many as processors, at most 8 */
	void (*progress)(void *ctx, uint64_t raw_done, uint64_t raw_all);
	void *ctx;
};

/* Write a pack to `fd` (empty, at its start); the same input gives the same
 * bytes, however many threads. Each content's hash is checked while it is
 * read: ERR_REFUSED when a file changed since it was walked, naming it; each
 * frame is decoded again before it counts. ERR_SYS. `table` may be NULL.
 * Memory: about 40 MiB a thread, and 40 more. */
int pack_write(const struct pack_opts *opts, int fd, struct table_place *place,
	       struct pack_table **table, struct err *e);

#endif
