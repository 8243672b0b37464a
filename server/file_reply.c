/* RFC 9110, sections 13 and 14, of which this is one range and strong tags:
 * a server may answer several ranges with the whole. */
#include "server/file_reply.h"

bool
file_reply_known(const struct request *r, struct reply *out)
{
	const char *tag = reply_header_get(out, "ETag");
	const char *asked = r->if_none_match;

	/* a tag has its quotes, so it is found in a list as well */
	if (!asked || (!str_eq(asked, "*") && !strstr(asked, tag)))
		return false;
	out->status = 304;
	return true;
}

/* Only GET has ranges, and of the very file that If-Range names. */
static const char *
range_of(const struct request *r, const struct reply *out)
{
	if (!str_eq(r->method, "GET") ||
	    (r->if_range &&
	     !str_eq(r->if_range, reply_header_get(out, "ETag"))))
		return NULL;
	return r->range;
}

void
file_reply(const struct request *r, int fd, uint64_t size, struct reply *out)
{
	enum range_kind kind;

	if (file_reply_known(r, out)) {
		close(fd);
		return;
	}
	kind = range_parse(range_of(r, out), size, &out->file_offset,
			   &out->file_size);
	if (kind == RANGE_BAD) {
		close(fd);
		reply_error(out, 416, "the file has %llu bytes",
			    (unsigned long long)size);
		reply_header(out, "Content-Range", "bytes */%llu",
			     (unsigned long long)size);
		return;
	}
	out->file = fd;
	out->status = kind == RANGE_PART ? 206 : 200;
	if (kind == RANGE_PART)
		reply_header(out, "Content-Range", "bytes %llu-%llu/%llu",
			     (unsigned long long)out->file_offset,
			     (unsigned long long)(out->file_offset +
						  out->file_size - 1),
			     (unsigned long long)size);
}
