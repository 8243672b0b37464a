/* Published trees as docs/formats.md lays them out. What has its hash in its
 * name never changes: its tag is that hash. The two HEADs change, and are small
 * enough to be one with their tag: read once, hashed, sent. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "server/file_reply.h"
#include "server/handler.h"
#include "lib/beneath.h"
#include "lib/file.h"
#include "lib/hash.h"

#define HEAD_MAX 512

/* Files whose name tells their content: this, hash, that. */
static const struct {
	const char *before, *after;
} sealed[] = {
	{ "seal-", "" },       { "manifest-", ".zst" }, { "full-", ".pack" },
	{ "marks-", ".pack" }, { "from-", ".delta" },
};

/* from-OLD-HASH.delta has a version in front of its hash. */
static bool
good_between(const char *text, size_t len)
{
	AUTO_FREE char *old = NULL;

	if (len == 0)
		return true;
	if (text[len - 1] != '-')
		return false;
	old = base_strndup(text, len - 1);
	return name_is_safe(old);
}

static bool
read_sealed(size_t kind, const char *name, char hash[HASH_HEX])
{
	size_t before = strlen(sealed[kind].before);
	size_t after = strlen(sealed[kind].after), len = strlen(name);
	bool delta = str_eq(sealed[kind].before, "from-");
	struct digest ignored;
	const char *at;

	if (len < before + HASH_HEX - 1 + after ||
	    !str_starts(name, sealed[kind].before) ||
	    !str_ends(name, sealed[kind].after))
		return false;
	at = name + len - after - (HASH_HEX - 1);
	memcpy(hash, at, HASH_HEX - 1);
	hash[HASH_HEX - 1] = '\0';
	name += before;
	return digest_read(&ignored, hash) == 0 && delta == (at > name) &&
	       good_between(name, (size_t)(at - name));
}

/* ROLE/HEAD, ROLE/VERSION/HEAD (`hash` is "" then) or ROLE/VERSION/FILE. */
static bool
read_name(const char *path, char hash[HASH_HEX])
{
	AUTO_FREE char *copy = base_strdup(path);
	char *at = copy, *part[3] = { 0 };
	size_t n = 0;

	while (at && n < 3)
		part[n++] = strsep(&at, "/");
	hash[0] = '\0';
	if (at || n < 2 || !name_is_safe(part[0]))
		return false;
	if (n == 3 && !name_is_safe(part[1]))
		return false;
	if (str_eq(part[n - 1], "HEAD"))
		return true;
	for (size_t i = 0; n == 3 && i < ARRAY_LEN(sealed); i++)
		if (read_sealed(i, part[2], hash))
			return true;
	return false;
}

static int
open_file(const char *top, const char *path, struct stat *st)
{
	AUTO_CLOSE int dir = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1
			 : open_beneath(dir, path, O_RDONLY | O_NONBLOCK, 0);

	if (fd >= 0 && (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))) {
		close(fd);
		errno = ENOENT;
		return -1;
	}
	return fd;
}

/* Why there is no file. What is not there now may be soon. */
static void
reply_none(const char *top, const char *path, int why, struct reply *out)
{
	static const int absent[] = { ENOENT, ENOTDIR, ELOOP, EXDEV, EISDIR };

	reply_header(out, "Cache-Control", "no-cache");
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		if (why == absent[i]) {
			reply_error(out, 404, "no file %s among the trees",
				    path);
			return;
		}
	reply_error(out, 500, "%s/%s: %s", top, path, strerror(why));
}

/* Takes `fd`. */
static void
reply_head(const struct request *r, int fd, const char *path, struct reply *out)
{
	AUTO_CLOSE int file = fd;
	char text[HEAD_MAX + 1], hash[HASH_HEX];
	ssize_t len = pread(file, text, sizeof(text), 0);

	reply_header(out, "Cache-Control", "no-cache");
	if (len < 0 || len > HEAD_MAX) {
		reply_error(out, 500, "%s: %s", path,
			    len < 0 ? strerror(errno) : "larger than a HEAD");
		return;
	}
	hash_hex(text, (size_t)len, hash);
	/* short: who asks whether it is new gets and sends nothing else */
	reply_header(out, "ETag", "\"%.24s\"", hash);
	if (file_reply_known(r, out))
		return;
	reply_header(out, "Content-Type", "text/plain; charset=utf-8");
	out->status = 200;
	buf_add(&out->body, text, (size_t)len);
}

/* Takes `fd`. */
static void
reply_sealed(const struct request *r, int fd, uint64_t size, const char *hash,
	     struct reply *out)
{
	reply_header(out, "ETag", "\"%s\"", hash);
	reply_header(out, "Accept-Ranges", "bytes");
	reply_header(out, "Content-Type", "application/octet-stream");
	file_reply(r, fd, size, out);
	reply_header(out, "Cache-Control",
		     out->status < 400 ? "public, max-age=31536000, immutable"
				       : "no-cache");
	out->bulk = out->file >= 0 && str_eq(r->method, "GET");
}

void
trees_get(struct app *a, const struct request *r, const char *path,
	  struct reply *out)
{
	char hash[HASH_HEX];
	struct stat st;
	int fd;

	if (!a->trees) {
		reply_error(out, 404,
			    "no trees are served here; TREES in edeploy.conf "
			    "names the folder where they are published");
		return;
	}
	if (!read_name(path, hash)) {
		reply_error(out, 404,
			    "%s is not the name of a file of a published tree",
			    path);
		return;
	}
	fd = open_file(a->trees, path, &st);
	if (fd < 0)
		reply_none(a->trees, path, errno, out);
	else if (!*hash)
		reply_head(r, fd, path, out);
	else
		reply_sealed(r, fd, (uint64_t)st.st_size, hash, out);
}
