#ifndef RSYNCD_FRAME_H
#define RSYNCD_FRAME_H

#include <stddef.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/err.h"

/* The fence of zstd: one frame at a time, whole, with its raw size in its
 * header. */
#define FRAME_RAW_MAX (16UL << 20)
#define FRAME_PREFIX_MAX (48UL << 20)

struct frame_coder;

/* Level 1 to 22. Reused for many frames; one for each thread. */
struct frame_coder *frame_coder_new(int level);
void frame_coder_free(struct frame_coder *c);
AUTO_DEFINE(frame_coder)

/* Add the frame of `raw` to `out`. With a prefix (NULL: none) long-distance
 * matching is on: it must be given again, the same, to decode. */
void frame_pack(struct frame_coder *c, const void *raw, size_t raw_len,
		const void *prefix, size_t prefix_len, struct buf *out);

/* Look for short matches in all of a prefix, not only near by: twice the time,
 * and of use where little is alike. false: this level does so anyway. */
bool frame_coder_far(struct frame_coder *c, bool far);

struct frame_decoder;
struct frame_decoder *frame_decoder_new(void);
void frame_decoder_free(struct frame_decoder *d);
AUTO_DEFINE(frame_decoder)

/* Decode a frame into exactly `raw_len` bytes. ERR_INPUT when it is not one
 * whole frame of that size, or wants another prefix. */
int frame_unpack(struct frame_decoder *d, const void *frame, size_t frame_len,
		 const void *prefix, size_t prefix_len, void *raw,
		 size_t raw_len, struct err *e);

/* A text of any size as one frame, and back (at most `max`). For manifests and
 * tables, which may be above FRAME_RAW_MAX. The text is NUL-terminated. */
void frame_pack_text(int level, const void *text, size_t len, struct buf *out);
/* The same without compressing it: a program that only reads frames then holds
 * no half of zstd for it, which counts in the initrd. */
void frame_store_text(const void *text, size_t len, struct buf *out);
int frame_unpack_text(const void *frame, size_t frame_len, size_t raw_len,
		      char **text, struct err *e);

#endif
