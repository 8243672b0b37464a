#ifndef RSYNCD_GZIP_H
#define RSYNCD_GZIP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

/* The fence of zlib. A gzip file of one member is HEADER, a deflate stream,
 * CRC and length; most of those streams can be made again from what is inside,
 * bit by bit, once it is known how they were made. */
#define GZIP_HEADER_MAX 1024

typedef int gzip_sink(void *ctx, const void *bytes, size_t len, struct err *e);

/* How long the header at the begin of `bytes` is; 0: there is none, or it is
 * above GZIP_HEADER_MAX. */
size_t gzip_header_len(const unsigned char *bytes, size_t len);

/* What is inside the file `fd`, read by pread, goes to `sink`, at most `max`
 * bytes. 1: done, and its checksum is right; 0: this is not a gzip file of one
 * member, or holds more; -1: ERR_SYS, or the sink failed. */
int gzip_open(int fd, uint64_t size, uint64_t max, gzip_sink *sink, void *ctx,
	      struct err *e);

/* Make a gzip file from what is inside: header, deflate at `level`, trailer,
 * all to `sink`. `mem_level` 1 to 9: zlib's, level 1 to 9; GZIP_GNU: as GNU
 * gzip does it, level 4 to 9. */
#define GZIP_GNU 0
struct gzip_maker;
struct gzip_maker *gzip_maker_new(int level, int mem_level,
				  const unsigned char *header,
				  size_t header_len, gzip_sink *sink,
				  void *ctx);
int gzip_maker_feed(struct gzip_maker *m, const void *bytes, size_t len,
		    struct err *e);
int gzip_maker_end(struct gzip_maker *m, struct err *e);
void gzip_maker_free(struct gzip_maker *m);

/* The levels at which the maker gives the file `fd` from `raw` bytes that
 * `raw_fd` holds. 1: found; 0: there are none; -1: ERR_SYS. */
struct gzip_way {
	int level, mem_level;
	unsigned char header[GZIP_HEADER_MAX];
	size_t header_len;
};
int gzip_find(int fd, uint64_t size, int raw_fd, uint64_t raw,
	      struct gzip_way *way, struct err *e);

#endif
