/* zstd's habits translated: whole frames, a raw size in each header, errors as
 * values, and nothing decoded that asks for more than its caller expects.
 * Long-distance matching makes a third of the bytes of a patch go away, and
 * costs nothing without a prefix to speak of. */
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_c_enableLongDistanceMatching's        \
				    ZSTD_ps_enable */
#include <assert.h>
#include <stdio.h>
#include <zstd.h>

#include "lib/base.h"

#include "rsyncd/frame.h"

#define QUICK_MAX 4 /* zstd's levels with two hash tables and no search */
#define TABLE_LOG_MIN 12
#define TABLE_LOG_MAX 22
#define TABLE_LOG_NEAR 21
#define TABLE_LOG_SHORT 17
#define TABLE_LOG_LARGE 20 /* then shorter matches are left, and time saved */

struct frame_coder {
	ZSTD_CCtx *z;
	int level;
	bool far; /* short matches in all of the prefix */
};

struct frame_decoder {
	ZSTD_DCtx *z;
};

/* ---- encode ---- */

static void
must(size_t code)
{
	/* parameters are ours and the room is compressBound: no input can make
	 * these fail, but memory can */
	if (ZSTD_isError(code)) {
		fprintf(stderr, "zstd: %s\n", ZSTD_getErrorName(code));
		abort();
	}
}

static void
set(struct frame_coder *c, ZSTD_cParameter what, int value)
{
	must(ZSTD_CCtx_setParameter(c->z, what, value));
}

struct frame_coder *
frame_coder_new(int level)
{
	struct frame_coder *c = base_alloc(sizeof(*c));

	c->z = ZSTD_createCCtx();
	if (!c->z)
		abort();
	c->level = level;
	set(c, ZSTD_c_compressionLevel, level);
	set(c, ZSTD_c_contentSizeFlag, 1);
	set(c, ZSTD_c_checksumFlag, 0); /* every frame has our hash */
	return c;
}

void
frame_coder_free(struct frame_coder *c)
{
	if (!c)
		return;
	ZSTD_freeCCtx(c->z);
	free(c);
}

/* The window must reach from the end of the frame to the begin of the prefix.
 */
static int
window_log(size_t reach)
{
	int log = 20;

	while (log < 27 && ((size_t)1 << log) < reach)
		log++;
	return log;
}

/* The quick levels' tables know 64 Ki places, and a prefix has millions: most
 * of what is at hand is not found. A table of long matches for all of it makes
 * patches a fifth smaller; one of short matches, too, makes only those smaller
 * that are hardly alike, and a processor spends most of its time on fetching
 * lines of such tables. (One place in three of a prefix is entered.) 0: as zstd
 * has it. */
static void
set_tables(struct frame_coder *c, size_t reach, bool prefix)
{
	const bool quick = prefix && c->level <= QUICK_MAX;
	const int most = c->far ? TABLE_LOG_MAX : TABLE_LOG_NEAR;
	int log = TABLE_LOG_MIN;

	while (log < most && ((size_t)2 << log) < reach)
		log++;
	set(c, ZSTD_c_hashLog, quick ? log : 0);
	set(c, ZSTD_c_chainLog,
	    !quick                            ? 0
	    : c->far || log < TABLE_LOG_SHORT ? log
					      : TABLE_LOG_SHORT);
	set(c, ZSTD_c_minMatch, quick && log >= TABLE_LOG_LARGE ? 6 : 0);
}

void
frame_pack(struct frame_coder *c, const void *raw, size_t raw_len,
	   const void *prefix, size_t prefix_len, struct buf *out)
{
	size_t room = ZSTD_compressBound(raw_len), got;
	char *at = buf_room(out, room);

	assert(raw_len <= FRAME_RAW_MAX && prefix_len <= FRAME_PREFIX_MAX);
	must(ZSTD_CCtx_reset(c->z, ZSTD_reset_session_only));
	set(c, ZSTD_c_enableLongDistanceMatching,
	    prefix_len > 0 ? ZSTD_ps_enable : ZSTD_ps_disable);
	set(c, ZSTD_c_windowLog, window_log(raw_len + prefix_len));
	set_tables(c, raw_len + prefix_len, prefix_len > 0);
	must(ZSTD_CCtx_refPrefix(c->z, prefix, prefix_len));
	got = ZSTD_compress2(c->z, at, room, raw, raw_len);
	must(got);
	out->len += got;
}

bool
frame_coder_far(struct frame_coder *c, bool far)
{
	c->far = far;
	return c->level <= QUICK_MAX;
}

/* ---- decode ---- */

struct frame_decoder *
frame_decoder_new(void)
{
	struct frame_decoder *d = base_alloc(sizeof(*d));

	d->z = ZSTD_createDCtx();
	if (!d->z)
		abort();
	must(ZSTD_DCtx_setParameter(d->z, ZSTD_d_windowLogMax, 27));
	return d;
}

void
frame_decoder_free(struct frame_decoder *d)
{
	if (!d)
		return;
	ZSTD_freeDCtx(d->z);
	free(d);
}

/* One frame, all of the bytes, of the size that was told. */
static int
check_shape(const void *frame, size_t len, size_t raw_len, struct err *e)
{
	unsigned long long told = ZSTD_getFrameContentSize(frame, len);
	size_t whole = ZSTD_findFrameCompressedSize(frame, len);

	if (told == ZSTD_CONTENTSIZE_ERROR || ZSTD_isError(whole) ||
	    whole != len)
		return err_set(e, ERR_INPUT, "not one whole zstd frame");
	if (told == ZSTD_CONTENTSIZE_UNKNOWN)
		return err_set(e, ERR_INPUT,
			       "the zstd frame does not tell its size");
	if (told != raw_len)
		return err_set(e, ERR_INPUT,
			       "the zstd frame holds %llu bytes, not %zu", told,
			       raw_len);
	return 0;
}

int
frame_unpack(struct frame_decoder *d, const void *frame, size_t frame_len,
	     const void *prefix, size_t prefix_len, void *raw, size_t raw_len,
	     struct err *e)
{
	size_t got;

	if (check_shape(frame, frame_len, raw_len, e) < 0)
		return -1;
	must(ZSTD_DCtx_reset(d->z, ZSTD_reset_session_only));
	must(ZSTD_DCtx_refPrefix(d->z, prefix, prefix_len));
	got = ZSTD_decompressDCtx(d->z, raw, raw_len, frame, frame_len);
	if (ZSTD_isError(got) || got != raw_len)
		return err_set(e, ERR_INPUT, "zstd frame: %s",
			       ZSTD_isError(got) ? ZSTD_getErrorName(got)
						 : "too short");
	return 0;
}

/* ---- texts ---- */

void
frame_pack_text(int level, const void *text, size_t len, struct buf *out)
{
	size_t room = ZSTD_compressBound(len), got;
	char *at = buf_room(out, room);

	got = ZSTD_compress(at, room, text, len, level);
	must(got);
	out->len += got;
}

/* RFC 8878, 3.1.1: one segment with its size in eight bytes, raw blocks. */
void
frame_store_text(const void *text, size_t len, struct buf *out)
{
	const size_t block_max = 128 * 1024;
	const char *at = text;
	size_t left = len, n;

	buf_add(out, "\x28\xb5\x2f\xfd\xe0", 5);
	for (int i = 0; i < 8; i++)
		buf_char(out, (char)((uint64_t)len >> (8 * i)));
	do {
		uint32_t head;

		n = left < block_max ? left : block_max;
		left -= n;
		head = (uint32_t)n << 3 | (left == 0);
		for (int i = 0; i < 3; i++)
			buf_char(out, (char)(head >> (8 * i)));
		buf_add(out, at, n);
		at += n;
	} while (left > 0);
}

int
frame_unpack_text(const void *frame, size_t frame_len, size_t raw_len,
		  char **text, struct err *e)
{
	AUTO(frame_decoder) d = frame_decoder_new();
	AUTO_FREE char *raw = NULL;

	if (check_shape(frame, frame_len, raw_len, e) < 0)
		return -1;
	raw = base_alloc(raw_len + 1);
	if (frame_unpack(d, frame, frame_len, NULL, 0, raw, raw_len, e) < 0)
		return -1;
	*text = STEAL(raw);
	return 0;
}
