/* A tree on the disk as a manifest: every type, what hangs on it, and what
 * changes while it is looked at. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "lib/buf.h"
#include "lib/file.h"

#include "rsyncd/walk.h"

#include "tests/test.h"

#define EMPTY "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
#define ABC "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"

static const unsigned char cap[] = { 1, 0, 0, 2, 0, 32, 0, 0, 0, 0,
				     0, 0, 0, 0, 0, 0,  0, 0, 0, 0 };
/* user::rw-, user:7:r--, group::r--, mask::r--, other::--- */
static const unsigned char acl[] = {
	2,    0,    0,    0,    1,    0,    6,  0,    0xff, 0xff, 0xff,
	0xff, 2,    0,    4,    0,    7,    0,  0,    0,    4,    0,
	4,    0,    0xff, 0xff, 0xff, 0xff, 16, 0,    4,    0,    0xff,
	0xff, 0xff, 0xff, 32,   0,    0,    0,  0xff, 0xff, 0xff, 0xff,
};

/* What is made, in this order, and its line; T is the time. NULL want: not in
 * the manifest. */
static const struct {
	char type; /* of a manifest; s socket, H a file with a hole of `arg`,
		      Z zeros, x attribute of the thing above, called arg */
	const char *path, *arg, *want;
} things[] = {
	{ 'f', "abc", "abc", "f 640 0 0 T 3 " ABC " abc\n" },
	{ 'f', "with blank\n\xff", "",
	  "f 640 0 0 T 0 " EMPTY " with\\x20blank\\x0a\xff\n" },
	{ 'd', "dir", NULL, "d 750 0 0 T dir\n" },
	{ 'd', "dir/deep", NULL, "d 750 0 0 T dir/deep\n" },
	{ 'f', "dir/deep/f", "abc", "f 640 0 0 T 3 " ABC " dir/deep/f\n" },
	{ 'd', "dir.d", NULL, "d 750 0 0 T dir.d\n" },
	{ 'l', "link", "dir/../x y", "l 0 0 T link dir/../x\\x20y\n" },
	{ 'l', "nowhere", "/nowhere", "h nowhere aaa\n" },
	{ 'h', "dir/same", "abc", "h dir/same abc\n" },
	{ 'h', "aaa", "nowhere", "l 0 0 T aaa /nowhere\n" },
	{ 'p', "pipe", NULL, "p 640 0 0 T pipe\n" },
	{ 's', "socket", NULL, NULL },
	{ 'c', "null", "1 3", "c 640 0 0 T 1 3 null\n" },
	{ 'b', "disk", "259 70000", "b 640 0 0 T 259 70000 disk\n" },
	{ 'H', "hole", "8192", " hole sparse\n" },
	{ 'H', "hole2", "4096", " hole2 sparse\n" },
	{ 'Z', "zeros", "65536", " zeros\n" },
	{ 'f', "ping", "",
	  "f 640 0 0 T 0 " EMPTY " ping xattr:security."
	  "capability=0100000200200000"
	  "000000000000000000000000\n" },
	{ 'x', "security.capability", NULL, NULL },
	{ 'f', "acl", "",
	  "f 640 0 0 T 0 " EMPTY " acl xattr:system."
	  "posix_acl_access=02000000010006" },
	{ 'x', "system.posix_acl_access", NULL, NULL },
	{ 'f', "user", "",
	  "f 640 0 0 T 0 " EMPTY
	  " user xattr:user.a= xattr:user.b\\x20=c=41\n" },
	{ 'x', "user.b =c", "A", NULL },
	{ 'x', "user.a", "", NULL },
};

static char top[] = "/tmp/edeploy-walk-XXXXXX";
static bool made[ARRAY_LEN(things)];

static int
make_file(const char *path, const char *text, size_t len, off_t hole)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	if (fd < 0 || (hole && lseek(fd, hole, SEEK_SET) < 0))
		return -1;
	return write(fd, text, len) == (ssize_t)len ? 0 : -1;
}

static int
make_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	return bind(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static int
make_device(const char *path, char type, const char *numbers)
{
	unsigned major_no = 0, minor_no = 0;

	if (sscanf(numbers, "%u %u", &major_no, &minor_no) != 2)
		return -1;
	return mknod(path, (type == 'c' ? S_IFCHR : S_IFBLK) | 0640,
		     makedev(major_no, minor_no));
}

static int
make_attribute(const char *path, const char *name, const char *text)
{
	if (str_eq(name, "security.capability"))
		return setxattr(path, name, cap, sizeof(cap), 0);
	if (str_eq(name, "system.posix_acl_access"))
		return setxattr(path, name, acl, sizeof(acl), 0);
	return setxattr(path, name, text, strlen(text), 0);
}

static int
make(size_t i)
{
	AUTO_FREE char *path = base_printf("%s/%s", top, things[i].path);
	const char *arg = things[i].arg;

	switch (things[i].type) {
	case 'f':
		return make_file(path, arg, strlen(arg), 0);
	case 'd':
		return mkdir(path, 0750);
	case 'l':
		return symlink(arg, path);
	case 'h': {
		AUTO_FREE char *to = base_printf("%s/%s", top, arg);

		return link(to, path);
	}
	case 'p':
		return mkfifo(path, 0640);
	case 's':
		return make_socket(path);
	case 'H':
		return make_file(path, "x", 1, atoi(arg));
	case 'Z': {
		AUTO_FREE char *zeros = base_alloc((size_t)atoi(arg));

		return make_file(path, zeros, (size_t)atoi(arg), 0);
	}
	default:
		return make_device(path, things[i].type, arg);
	}
}

/* Make all that can be made here; the time of all is 1.000000005. */
static void
make_all(void)
{
	const struct timespec times[2] = { { 1, 5 }, { 1, 5 } };
	size_t i, on = 0;

	for (i = 0; i < ARRAY_LEN(things); i++) {
		AUTO_FREE char *path = NULL;

		if (things[i].type == 'x') {
			path = base_printf("%s/%s", top, things[on].path);
			made[i] = make_attribute(path, things[i].path,
						 things[i].arg) == 0;
			made[on] = made[on] && made[i];
		} else {
			made[i] = make(i) == 0;
			on = i;
		}
		if (!made[i])
			printf("# %s: %s\n", things[i].path, strerror(errno));
	}
	for (i = ARRAY_LEN(things); i-- > 0;) {
		AUTO_FREE char *path =
			base_printf("%s/%s", top, things[i].path);

		if (things[i].type != 'x')
			utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
	}
	utimensat(AT_FDCWD, top, times, 0);
}

static void
keep_line(void *ctx, const char *line)
{
	buf_printf(ctx, "%s\n", line);
}

static uint64_t told_files, told_bytes;

static void
keep_progress(void *ctx, uint64_t files, uint64_t bytes)
{
	(void)ctx;
	told_files = files;
	told_bytes = bytes;
}

static char *
with_time(const char *want)
{
	const char *t = strstr(want, " T ");

	if (!t)
		return base_strdup(want);
	return base_printf("%.*s 1.000000005 %s", (int)(t - want), want, t + 3);
}

static void
check_things(const struct manifest *m)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(things); i++) {
		AUTO_FREE char *want = NULL;

		if (!things[i].want)
			continue;
		if (!made[i]) {
			test_skip("this file system or user cannot make it");
			continue;
		}
		want = with_time(things[i].want);
		CHECK_SHOW(i, strstr(m->text, want), "%s", want);
	}
}

/* What walk_look says is what walk said, but for the hash. */
static void
check_look(const struct manifest *m)
{
	AUTO(walk_look) pool = walk_look_new();
	AUTO_CLOSE int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct manifest_entry x;
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < m->len; i++) {
		AUTO(manifest) one = manifest_new();
		const struct manifest_entry *w = &m->entry[i];

		CHECK_SHOW(i, walk_look(pool, fd, w->path, &x, &e) == 1,
			   "%s: %s", w->path, e.text);
		if (w->type == 'h') {
			CHECK(i, x.type == manifest_find(m, w->link)->type);
			continue;
		}
		CHECK(i, x.type == w->type && x.mode == w->mode &&
				 x.uid == w->uid && x.gid == w->gid &&
				 x.mtime_ns == w->mtime_ns &&
				 x.size == w->size && x.major == w->major &&
				 x.minor == w->minor && x.sparse == w->sparse &&
				 x.xattrs_len == w->xattrs_len &&
				 (w->type != 'l' || str_eq(x.link, w->link)));
	}
	CHECK(0, walk_look(pool, fd, "dir/none", &x, &e) == 0);
	CHECK(0, walk_look(pool, fd, "none/none", &x, &e) == 0);
	CHECK(0, walk_look(pool, fd, "abc/none", &x, &e) == 0);
	CHECK(0, walk_look(pool, fd, "link/none", &x, &e) == 0);
}

static void
test_things(void)
{
	AUTO_CLEAR(buf) said = { 0 };
	AUTO(manifest) m = NULL;
	AUTO(manifest) again = NULL;
	struct walk_opts opts = { .dir = top,
				  .threads = 1,
				  .progress = keep_progress,
				  .say = keep_line,
				  .ctx = &said };
	struct err e = { 0 };
	int threads;

	make_all();
	CHECK_SHOW(0, walk(&opts, &m, &e) == 0, "%s", e.text);
	if (!m)
		return;
	check_things(m);
	CHECK(0, str_starts(strstr(m->text, "\nd ") + 1, "d 700 0 0 1.00000"
							 "0005 .\n"));
	CHECK(0, str_eq(buf_text(&said), "socket: a socket, left out\n"));
	CHECK(0, told_bytes == m->bytes && told_files > 0);
	check_look(m);
	for (threads = 0; threads < 5; threads++) {
		opts.threads = threads;
		CHECK_SHOW(threads, walk(&opts, &again, &e) == 0, "%s", e.text);
		CHECK(threads, again && str_eq(again->text, m->text));
		manifest_free(STEAL(again));
	}
}

/* ---- changed meanwhile ---- */

/* What is done to the file "abc" or beside it, when "dir/deep" is come upon:
 * by then all names beside it have been looked at. */
static const struct {
	const char *what, *want;
} changes[] = {
	{ "nothing", NULL },
	{ "append", "abc changed while" },
	{ "rewrite", "abc changed while" },
	{ "truncate", "abc changed while" },
	{ "chmod", "abc changed while" },
	{ "remove", "abc changed while" },
	{ "to a link", "abc changed while" },
	{ "to a pipe", "abc changed while" },
	{ "add", ": . changed while" },
};

static const char *change;

static void
do_change(void)
{
	AUTO_FREE char *path = base_printf("%s/abc", top);
	AUTO_FREE char *beside = base_printf("%s/beside", top);

	usleep(20000); /* times of files go by the clock's ticks */
	if (str_eq(change, "append"))
		make_file(path, "d", 1, 3);
	else if (str_eq(change, "rewrite"))
		make_file(path, "abd", 3, 0);
	else if (str_eq(change, "truncate"))
		(void)!truncate(path, 1);
	else if (str_eq(change, "chmod"))
		chmod(path, 0600);
	else if (str_eq(change, "add"))
		make_file(beside, "", 0, 0);
	else if (!str_eq(change, "nothing"))
		unlink(path);
	if (str_eq(change, "to a link"))
		(void)!symlink("beside", path);
	if (str_eq(change, "to a pipe"))
		mkfifo(path, 0600);
}

static bool
change_at_deep(void *ctx, const char *path)
{
	(void)ctx;
	if (str_eq(path, "dir/deep"))
		do_change();
	return false;
}

static bool
skip_dir(void *ctx, const char *path)
{
	(void)ctx;
	return str_eq(path, "dir");
}

static void
test_changes(void)
{
	AUTO_FREE char *path = base_printf("%s/abc", top);
	struct walk_opts opts = { .dir = top, .skip = change_at_deep };
	size_t i;

	for (i = 0; i < ARRAY_LEN(changes); i++) {
		AUTO(manifest) m = NULL;
		struct err e = { 0 };
		const char *want = changes[i].want;
		int got;

		unlink(path);
		make_file(path, "abc", 3, 0);
		change = changes[i].what;
		got = walk(&opts, &m, &e);
		CHECK(i, got == (want ? -1 : 0));
		CHECK_SHOW(i,
			   !want || (e.kind == ERR_REFUSED &&
				     strstr(e.text, want)),
			   "%s", e.text);
	}
}

static void
test_skip_and_mount(void)
{
	AUTO_FREE char *deep = base_printf("%s/dir/deep", top);
	AUTO_CLEAR(buf) said = { 0 };
	struct walk_opts opts = { .dir = top, .skip = skip_dir };
	AUTO(manifest) m = NULL;
	AUTO(manifest) over = NULL;
	struct err e = { 0 };

	CHECK(0, walk(&opts, &m, &e) == 0 && !manifest_find(m, "dir/deep") &&
			 !manifest_find(m, "dir") && manifest_find(m, "dir.d"));
	opts = (struct walk_opts){ .dir = top, .say = keep_line, .ctx = &said };
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(top, deep, NULL, MS_BIND, NULL) < 0) {
		test_skip("no mounts here");
		return;
	}
	CHECK_SHOW(1, walk(&opts, &over, &e) == 0, "%s", e.text);
	CHECK(1, over && manifest_find(over, "dir/deep") &&
			 !manifest_find(over, "dir/deep/f") &&
			 !manifest_find(over, "dir/deep/abc"));
	CHECK_SHOW(1, strstr(buf_text(&said), "dir/deep: something else is"),
		   "%s", buf_text(&said));
	umount(deep);
}

static void
test_no_folder(void)
{
	struct walk_opts opts = { .dir = "/nonexistent" };
	AUTO(manifest) m = NULL;
	struct err e = { 0 };

	CHECK(0, walk(&opts, &m, &e) < 0 && e.kind == ERR_SYS &&
			 strstr(e.text, "/nonexistent"));
}

int
main(void)
{
	struct err e = { 0 };

	test_no_folder();
	if (geteuid() != 0) {
		test_skip("not root: owners and devices cannot be made");
		return test_end();
	}
	umask(0);
	CHECK(0, mkdtemp(top) != NULL);
	test_things();
	test_changes();
	test_skip_and_mount();
	CHECK(0, dir_remove(top, &e) == 0);
	return test_end();
}
