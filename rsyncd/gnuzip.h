#ifndef RSYNCD_GNUZIP_H
#define RSYNCD_GNUZIP_H

#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

/* Deflate as GNU gzip does it. zlib finds the same matches, but ends its
 * blocks elsewhere, so it cannot make again what gzip made of anything
 * larger than a block (an initrd, a long changelog). This is for making
 * things again, not for packing: levels 4 to 9, those with lazy matching. */
#define GNUZIP_LEVEL_MIN 4

struct gnuzip;
struct gnuzip *gnuzip_new(int level);
/* More bytes; what is ready is added to `out`. */
void gnuzip_feed(struct gnuzip *z, const void *bytes, size_t len,
		 struct buf *out);
/* There are no more; the rest of the stream is added to `out`. */
void gnuzip_end(struct gnuzip *z, struct buf *out);
void gnuzip_free(struct gnuzip *z);

#endif
