#ifndef CLI_BAR_H
#define CLI_BAR_H

#include <stdint.h>

#include "lib/buf.h"

/* How far something is, for a person. Pure text. */
struct bar {
	int64_t percent;     /* below 0: not known, there is no bar then */
	int64_t bytes_per_s; /* 0: not known */
	int64_t left_s;      /* below 0: not known */
};

/* "812 kB/s", "112.4 MB/s", "1.2 GB/s" */
void bar_rate(int64_t bytes_per_s, struct buf *out);

/* "950 B", "12.0 kB", "312.5 MB", "1.2 GB" */
void bar_bytes(int64_t bytes, struct buf *out);

/* "0:12", "12:00", "1:02:03"; of more than four days "5 d" */
void bar_time(int64_t seconds, struct buf *out);

/* "43 %  112.4 MB/s  0:12 left", without what is not known. */
void bar_words(const struct bar *b, struct buf *out);

/* The same behind "[####......]" in at most `columns` columns: the bar is 10
 * to 40 wide and the first thing to go. Words that do not fit are left out
 * from the last on; below 5 columns there is nothing. */
void bar_line(const struct bar *b, size_t columns, struct buf *out);

#endif
