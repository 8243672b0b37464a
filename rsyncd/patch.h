#ifndef RSYNCD_PATCH_H
#define RSYNCD_PATCH_H

#include "rsyncd/manifest.h"
#include "rsyncd/pack.h"

/* docs/formats.md "Deltas" and "Marks": the tables, and making and taking one
 * patch. */
#define PATCH_TABLE_MAX (1UL << 29)
#define PATCH_HEADER_MAX 1024          /* of a gzip file */
#define PATCH_GZIP_RAW_MAX (1UL << 30) /* inside a gzip file */

enum patch_kind {
	PATCH_WHOLE,
	PATCH_ZSTD,
	PATCH_GZIP,
	PATCH_SYMBOLS,
	PATCH_RSYNC
};

struct patch_piece {
	uint64_t at; /* of its compressed bytes in the delta's file */
	uint32_t size, raw;
	struct digest hash; /* of the compressed bytes */
	uint64_t base_at;
	uint32_t base_len; /* prefix */
};

struct patch_op {
	enum patch_kind kind;
	unsigned char new_head[12], old_head[12];
	uint64_t new_size, old_size;
	uint8_t level, mem_level; /* gzip */
	unsigned char *header;    /* gzip; owned */
	size_t header_len;
	uint64_t new_raw, old_raw; /* gzip: inside; symbols: their texts */
	size_t piece, pieces;      /* first, and how many */
};

struct patch_table {
	char from[HASH_HEX], to[HASH_HEX]; /* roots */
	struct patch_op *op;
	size_t ops;
	struct patch_piece *piece; /* the manifest's first */
	size_t pieces, manifest_pieces;
	struct patch_index *index;
};

/* `end`: the bytes before the table, which the pieces must add up to.
 * ERR_INPUT with line. */
int patch_table_parse(struct patch_table **out, const char *text, size_t len,
		      uint64_t end, const char *name, struct err *e);
char *patch_table_text(const struct patch_table *t, size_t *len);
/* The op that makes this content, or NULL; of several, that of the fewest
 * bytes. */
const struct patch_op *patch_find(const struct patch_table *t,
				  const unsigned char new_head[12]);
/* The next op for what `op`, a gzip or symbols one, makes, or NULL: more bytes
 * and less work. */
const struct patch_op *patch_plain(const struct patch_table *t,
				   const struct patch_op *op);
/* Bytes of what an op's pieces are on the wire. */
uint64_t patch_size(const struct patch_table *t, const struct patch_op *op);
void patch_table_free(struct patch_table *t);
AUTO_DEFINE(patch_table)

/* The new manifest's text: `bytes` are the delta's first patch_manifest_size
 * bytes. Their hashes are checked here, the new root is the caller's to check.
 * ERR_INPUT. */
uint64_t patch_manifest_size(const struct patch_table *t);
int patch_manifest(const struct patch_table *t, const void *bytes, size_t len,
		   const char *old_text, size_t old_len, char **text,
		   size_t *text_len, struct err *e);

/* Taking one op: pieces come in order, the new content goes to `sink` from
 * its first byte to its last. Memory: one piece and its prefix (64 MiB at
 * most), plus for gzip a temporary file for what is inside the base. The
 * caller checks the content's hash. */
struct patch_take;
struct patch_room; /* what many patches need, one after the other */
struct patch_room *patch_room_new(void);
/* The next piece stands on another file. */
void patch_room_forget(struct patch_room *r);
void patch_room_free(struct patch_room *r);
AUTO_DEFINE(patch_room)
struct patch_take_opts {
	const struct patch_table *table;
	const struct patch_op *op;
	int base_fd;   /* of OLD, verified by the caller; -1 for whole */
	int tmp_dirfd; /* where a file without a name may be made */
	struct patch_room *room; /* kept by the caller; NULL: made for this */
	bool checked;            /* the caller has checked the pieces' hashes */
	int (*sink)(void *ctx, const void *bytes, size_t len, struct err *e);
	void *ctx;
};
int patch_take_open(struct patch_take **out, const struct patch_take_opts *o,
		    struct err *e);
/* The compressed bytes of the next piece; their hash is checked here.
 * ERR_INPUT: damaged. ERR_SYS. */
int patch_take_piece(struct patch_take *t, const void *bytes, size_t len,
		     struct err *e);
int patch_take_end(struct patch_take *t, struct err *e);

/* One piece of a zstd or whole op, whose hash the caller has checked, straight
 * into `out` of p->raw bytes. base_fd as above; the same one from piece to
 * piece, or patch_room_forget before it. ERR_INPUT, ERR_SYS. */
int patch_take_piece_to(struct patch_room *room, const struct patch_piece *p,
			int base_fd, const void *bytes, size_t len, void *out,
			struct err *e);
void patch_take_free(struct patch_take *t);
AUTO_DEFINE(patch_take)

/* Making a delta between two trees. Pairs contents of `new` that `old` lacks
 * with the likeliest of `old` (same path; path with digits collapsed; base
 * name and nearest size), makes for each the smallest patch of the kinds that
 * are worth trying (old + new above 64 MB: librsync, or zstd in
 * segments, whichever is smaller), and replays each before it is written. */
struct patch_opts {
	const struct manifest *old, *new;
	int old_dirfd, new_dirfd;
	int level;     /* 3 at first, 19 in the background */
	bool thorough; /* try every kind, also gzip on small files */
	int threads;
	const char *tmp; /* folder for files without a name; NULL: /var/tmp */
	void (*progress)(void *ctx, uint64_t raw_done, uint64_t raw_all);
	void *ctx;
};
struct patch_counts { /* how many contents went which way, and their bytes */
	size_t same, whole, zstd, gzip, symbols, rsync;
	uint64_t same_bytes, raw_bytes, packed_bytes;
};
/* ERR_REFUSED: a file is not what its manifest says (it is named); ERR_SYS.
 * The same trees give the same bytes, however many threads. `counts` may be
 * NULL. Peak memory: about 110 MiB a thread. */
int patch_write(const struct patch_opts *opts, int fd,
		struct table_place *place, struct patch_counts *counts,
		struct err *e);

/* Marks. */
struct mark {
	unsigned char head[12];
	uint64_t new_size;
	struct patch_piece piece; /* base_at, base_len 0 */
};
struct mark_table {
	struct mark *mark;
	size_t len;
};
#define MARK_SIZE_MIN (1UL << 20)
int mark_table_parse(struct mark_table **out, const char *text, size_t len,
		     uint64_t end, const char *name, struct err *e);
char *mark_table_text(const struct mark_table *t, size_t *len);
const struct mark *mark_find(const struct mark_table *t,
			     const unsigned char head[12]);
void mark_table_free(struct mark_table *t);
AUTO_DEFINE(mark_table)
/* Of all contents of `m` above MARK_SIZE_MIN; place->size 0 when there is
 * none, and nothing was written. */
int mark_write(const struct manifest *m, int dirfd, int level, int threads,
	       int fd, struct table_place *place, struct err *e);

#endif
