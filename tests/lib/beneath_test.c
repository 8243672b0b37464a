/* What others put into a folder must not lead out of it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/file.h"
#include "tests/test.h"

static char dir[] = "/tmp/edeploy-beneath-XXXXXX";

static const struct {
	const char *path;
	int flags, want; /* 0: opened, else errno */
} rows[] = {
	{ "file", O_RDONLY, 0 },
	{ "sub/file", O_RDONLY, 0 },
	{ "sub", O_RDONLY | O_DIRECTORY, 0 },
	{ "sub", O_PATH | O_DIRECTORY, 0 },
	{ "sub/../file", O_RDONLY, 0 },
	{ "sub/new", O_WRONLY | O_CREAT | O_EXCL, 0 },
	{ "sub/new", O_WRONLY | O_CREAT | O_EXCL, EEXIST },
	{ "none", O_RDONLY, ENOENT },
	{ "file/x", O_RDONLY, ENOTDIR },
	{ "link", O_RDONLY, ELOOP },        /* to a file of the folder */
	{ "out", O_RDONLY, ELOOP },         /* to /etc/passwd */
	{ "folder/file", O_RDONLY, ELOOP }, /* folder -> sub */
	{ "up/etc/passwd", O_RDONLY, ELOOP },
	{ "/etc/passwd", O_RDONLY, EXDEV },
	{ "../../etc/passwd", O_RDONLY, EXDEV },
	{ "sub/../../etc/passwd", O_RDONLY, EXDEV },
	{ "", O_RDONLY, ENOENT },
};

/* The folder of a path; "" where there is none. */
static const struct {
	const char *path, *folder, *base;
} parents[] = {
	{ "file", ".", "file" },
	{ "sub/file", "sub", "file" },
	{ "sub/none", "sub", "none" },
	{ "sub/out", "sub", "out" },
	{ "folder/file", "", "file" }, /* a link */
	{ "up/etc/passwd", "", "passwd" },
	{ "none/x", "", "x" },
	{ "file/x", "", "x" },
	{ "/etc/passwd", "", "passwd" },
	{ "sub/../../x", "", "x" },
};

static void
make_folder(void)
{
	static const struct {
		const char *text, *name;
	} links[] = { { "file", "link" },
		      { "/etc/passwd", "out" },
		      { "sub", "folder" },
		      { "/", "up" } };
	struct err e = { 0 };

	CHECK(0, mkdtemp(dir) && chdir(dir) == 0 && mkdir("sub", 0755) == 0);
	CHECK(1, file_write("file", "a", 1, 0644, &e) == 0 &&
			 file_write("sub/file", "a", 1, 0644, &e) == 0);
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		CHECK(i, symlink(links[i].text, links[i].name) == 0);
}

static void
run_rows(int top, bool walked)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = open_beneath(top, rows[i].path, rows[i].flags, 0600);
		int seen = fd < 0 ? errno : 0;
		int want = walked && strstr(rows[i].path, "..") ? EXDEV
								: rows[i].want;

		CHECK_SHOW(i, seen == want, "%s: errno %d", rows[i].path, seen);
		if (fd >= 0) {
			CHECK(i, fcntl(fd, F_GETFD) & FD_CLOEXEC);
			close(fd);
		}
	}
}

static void
run_parents(int top)
{
	for (size_t i = 0; i < ARRAY_LEN(parents); i++) {
		struct err e = { 0 };
		const char *base;
		struct stat want, got;
		AUTO_CLOSE int fd =
			open_parent(top, parents[i].path, &base, &e);

		CHECK(i, str_eq(base, parents[i].base));
		CHECK_SHOW(i, (fd >= 0) == (*parents[i].folder != 0), "%s",
			   e.text);
		if (fd < 0)
			CHECK(i, e.kind == ERR_SYS);
		else
			CHECK(i, stat(parents[i].folder, &want) == 0 &&
					 fstat(fd, &got) == 0 &&
					 want.st_ino == got.st_ino);
	}
}

/* As edeployd.service is run by systemd: no openat2. */
static bool
take_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog all = { ARRAY_LEN(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) == 0 &&
	       syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno == ENOSYS;
}

int
main(void)
{
	struct err e = { 0 };
	int top;

	make_folder();
	top = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	run_rows(top, false);
	run_parents(top);
	CHECK(0, unlink("sub/new") == 0);
	CHECK(0, take_openat2());
	run_rows(top, true);
	run_parents(top);
	close(top);
	CHECK(0, dir_remove(dir, &e) == 0);
	return test_end();
}
