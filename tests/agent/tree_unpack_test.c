/* Archives as people's tools make them, and as nobody should. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "agent/tree_archive.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "tests/test.h"

static char top[] = "/tmp/edeploy-unpack-XXXXXX";

/* A shell's words, in the folder of the test; its exit code. */
static int
sh(const char *words)
{
	AUTO_FREE char *all = base_printf("cd %s && %s", top, words);
	const char *const argv[] = { "sh", "-ec", all, NULL };
	struct proc out = { 0 };
	struct err e = { 0 };
	int code;

	if (proc_run(argv, &(struct proc_opts){ 0 }, &out, &e) < 0)
		abort();
	code = out.status;
	if (code != 0)
		printf("# %s\n", buf_text(&out.out));
	proc_clear(&out);
	return code;
}

/* Unpack `file` into `into`, as the agent does: in a child. The text of the
 * failure, or "". */
static const char *
unpack(const char *file, const char *into)
{
	static char text[300];
	AUTO_FREE char *path = base_printf("%s/%s", top, file);
	AUTO_FREE char *folder = base_printf("%s/%s", top, into);
	struct err e = { 0 };
	int words[2], status;
	ssize_t len;
	pid_t pid;

	if (pipe(words) < 0 || (mkdir(folder, 0755) < 0 && errno != EEXIST))
		abort();
	pid = fork();
	if (pid == 0) {
		int fd = open(path, O_RDONLY);
		int bad = tree_unpack(fd, folder, &e);

		if (bad < 0 && write(words[1], e.text, strlen(e.text)) < 0)
			_exit(3);
		_exit(bad < 0 ? 1 + (e.kind == ERR_INPUT) : 0);
	}
	close(words[1]);
	len = read(words[0], text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	close(words[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == (*text ? 2 : 0)
		       ? text
		       : "neither whole nor refused";
}

/* ---- what must come out as it went in ---- */

static const struct {
	const char *name, *make;
} trees[] = {
	{ "files", "mkdir a && echo hi >a/f && chmod 4755 a/f && : >a/empty" },
	{ "links", "echo x >f && ln f hard && ln -s ../nowhere l && "
		   "ln -s /etc/passwd abs" },
	{ "names", "echo x >Főtanúsítvány.crt && echo y >\"a b\\\\c\" && "
		   ": >\"$(printf 'raw\\377')\" && mkdir "
		   "\"$(printf %0150d 1)\" && echo z >"
		   "\"$(printf %0150d 1)/$(printf %0150d 2)\"" },
	{ "times", "touch -d '2001-02-03 04:05:06.789' f && mkdir d && "
		   "touch -d '1999-01-01 00:00:00' d" },
	{ "modes", "mkdir d && chmod 1777 d && : >f && chmod 0 f && mkdir e "
		   "&& chmod 2750 e" },
	{ "big", "head -c 3000000 /dev/urandom >f" },
};

#define LOOK                                                                   \
	"find . -mindepth 1 -printf '%y %m %U %G %T@ %l %n %p\\n' | sort && "  \
	"find . -type "                                                        \
	"f -exec md5sum {} + | sort"

static void
test_trees(const char *pack)
{
	for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
		AUTO_FREE char *make = base_printf(
			"rm -rf in out t && mkdir in && cd in && %s && cd .. "
			"&& %s",
			trees[i].make, pack);
		const char *said;

		CHECK(i, sh(make) == 0);
		said = unpack("t", "out");
		CHECK_SHOW(i, !*said, "%s: %s", trees[i].name, said);
		CHECK_SHOW(i,
			   sh("(cd in && " LOOK ") >a && (cd out && " LOOK
			      ") >b && diff a b >&2") == 0,
			   "%s", trees[i].name);
	}
}

/* What only root can make, and what tar keeps only when it is told. */
static void
test_root(void)
{
	AUTO_FREE char *file = base_printf("%s/in/f", top);
	AUTO_FREE char *came = base_printf("%s/out/f", top);
	char value[20];

	if (geteuid() != 0) {
		test_skip("only root can give files away");
		return;
	}
	CHECK(0, sh("rm -rf in out t && mkdir in && cd in && mknod null c 1 3 "
		    "&& mkfifo p && : >f && chown 12345:54321 f") == 0);
	CHECK(1, setxattr(file, "user.a", "b\0c", 3, 0) == 0);
	CHECK(2,
	      setxattr(file, "security.capability",
		       "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0) == 0);
	CHECK(3, sh("tar cz --xattrs --xattrs-include='*' --selinux "
		    "--numeric-owner -f t -C in .") == 0);
	CHECK_SHOW(4, !*unpack("t", "out"), "%s", unpack("t", "out"));
	CHECK(5, sh("(cd in && " LOOK ") >a && (cd out && " LOOK ") >b && "
		    "diff a b >&2") == 0);
	CHECK(6, getxattr(came, "user.a", value, sizeof(value)) == 3 &&
			 memcmp(value, "b\0c", 3) == 0);
	CHECK(7, getxattr(came, "security.capability", value, sizeof(value)) ==
			 20);
}

/* ---- what must be refused ---- */

static const struct {
	const char *make, *want;
} bad[] = {
	{ ": >t", "cannot be read" },
	{ "tar cf t -T /dev/null", "empty" },
	{ "echo no archive >t", "cannot be read" },
	{ "mkdir in && head -c 200000 /dev/urandom >in/f && tar czf u -C in . "
	  "&& head -c 150000 u >t",
	  "cannot be read" },
	{ "mkdir in && head -c 200000 /dev/urandom >in/f && tar cf u -C in . "
	  "&& head -c 150000 u >t",
	  "cannot be read" },
	{ "mkdir in && head -c 200000 /dev/zero >in/f && tar czf t -C in . && "
	  "printf X | dd of=t bs=1 seek=60 conv=notrunc status=none",
	  "cannot be read" },
};

/* Each writes out/../evil or fails; `evil` must never be there. */
static const char *const evil[] = {
	"echo x >f && tar cPf t --transform 's,f,../evil,' f",
	"echo x >f && tar cPf t --transform \"s,f,$PWD/evil,\" f",
	"echo x >f && tar cPf t --transform 's,f,a/../../evil,' f",
	"mkdir in && ln -s .. in/l && echo x >f && tar cf t -C in l && "
	"tar rPf t --transform 's,f,l/evil,' f",
	"mkdir in && ln -s ../evil in/l && echo x >f && tar cf t -C in l && "
	"tar rPf t --transform 's,f,l,' f && : >t2",
};

static void
test_bad(void)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO_FREE char *make =
			base_printf("rm -rf in out t u f && %s", bad[i].make);
		const char *said;

		CHECK(i, sh(make) == 0);
		said = unpack("t", "out");
		CHECK_SHOW(i, strstr(said, bad[i].want), "%s", said);
	}
	for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
		AUTO_FREE char *make =
			base_printf("rm -rf in out t f evil && %s", evil[i]);

		CHECK(i, sh(make) == 0);
		unpack("t", "out");
		CHECK(i, sh("test ! -e evil") == 0);
	}
}

int
main(void)
{
	struct err e = { 0 };

	umask(022);
	if (!mkdtemp(top))
		abort();
	test_trees("tar czf t -C in --format=posix .");
	test_trees("tar cf t -C in --format=posix .");
	test_root();
	test_bad();
	if (!getenv("KEEP"))
		CHECK(0, dir_remove(top, &e) == 0);
	return test_end();
}
