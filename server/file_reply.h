#ifndef SERVER_FILE_REPLY_H
#define SERVER_FILE_REPLY_H

#include "server/request.h"

/* The file `fd` (taken) of `size` bytes as an answer to `r`: all of it, the
 * range that a GET asked for, 304 or 416, by the ETag that is set in `out`. */
void file_reply(const struct request *r, int fd, uint64_t size,
		struct reply *out);

/* The client holds what the ETag of `out` names: 304. */
bool file_reply_known(const struct request *r, struct reply *out);

#endif
