#ifndef RSYNCD_SYMBOLS_H
#define RSYNCD_SYMBOLS_H

#include "rsyncd/gzip.h"

/* docs/formats.md "Symbols": a gzip file as the literals and matches that its
 * deflate stream says, byte after byte, so that two of them can be compared,
 * and the file made of them again without a search for matches: a tenth of
 * the work of gzip_maker, and whoever chose the matches. */

/* The text of the file `fd`, read by pread, goes to `sink`, at most `max`
 * bytes. 1: done; 0: this is no gzip file of one member, or not to be told so;
 * -1: ERR_SYS, or the sink failed. */
int symbols_read(int fd, uint64_t size, uint64_t max, gzip_sink *sink,
		 void *ctx, struct err *e);

/* The file of a text, to `sink`. ERR_INPUT: it is no such text. */
struct symbols_maker;
struct symbols_maker *symbols_maker_new(gzip_sink *sink, void *ctx);
int symbols_maker_feed(struct symbols_maker *m, const void *bytes, size_t len,
		       struct err *e);
int symbols_maker_end(struct symbols_maker *m, struct err *e);
void symbols_maker_free(struct symbols_maker *m);

/* Does a maker give the file `fd` again from the text that `text_fd` holds?
 * 1, 0, or -1: ERR_SYS. */
int symbols_check(int fd, uint64_t size, int text_fd, uint64_t text,
		  struct err *e);

#endif
