/* A real rsync daemon behind a relay that cuts connections: the tree comes
 * whole all the same. And the script's files on top of a tree with links. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/own.h"
#include "agent/tree_rsync.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "tests/peer.h"
#include "tests/test.h"

#define BIG (3 * 1024 * 1024)

static char top[] = "/tmp/pull_test.XXXXXX";

static char *
at(const char *path)
{
	return base_printf("%s%s", top, path);
}

static void
put(const char *path, const char *text, mode_t mode)
{
	AUTO_FREE char *there = at(path);
	struct err e;

	if (file_write(there, text, strlen(text), mode, &e) < 0 ||
	    chmod(there, mode) < 0)
		abort();
}

static void
link_to(const char *target, const char *path)
{
	AUTO_FREE char *there = at(path);

	if (symlink(target, there) < 0)
		abort();
}

/* Below those that connections get by themselves, as in tests/ports.py. */
static int
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int port;

	do {
		port = 10000 + (int)arc4random_uniform(22000);
		a.sin_port = htons((uint16_t)port);
	} while (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0);
	close(fd);
	return port;
}

static void
make_tree(void)
{
	AUTO_FREE char *big = base_alloc(BIG + 1);
	AUTO_FREE char *first = NULL;
	AUTO_FREE char *second = NULL;
	unsigned seed = 1;
	size_t i;

	for (i = 0; i < BIG; i++) {
		seed = seed * 1103515245 + 12345;
		big[i] = (char)('!' + seed % 90);
	}
	put("/install/V1/tiny/a/big1", big, 0644);
	put("/install/V1/tiny/b/big2", big + 1, 0640);
	put("/install/V1/tiny/.dot", "dot", 0600);
	link_to("a/big1", "/install/V1/tiny/link");
	first = at("/install/V1/tiny/a/big1");
	second = at("/install/V1/tiny/b/hard");
	if (link(first, second) < 0)
		abort();
}

static pid_t
start_daemon(int port)
{
	AUTO_FREE char *conf =
		base_printf("use chroot = no\nread only = yes\n%s[install]\n"
			    "path = %s/install\nnumeric ids = yes\n",
			    geteuid() == 0 ? "uid = 0\ngid = 0\n" : "", top);
	AUTO_FREE char *path = at("/rsyncd.conf");
	AUTO_FREE char *use = base_printf("--config=%s", path);
	AUTO_FREE char *port_word = base_printf("--port=%d", port);
	pid_t pid;

	put("/rsyncd.conf", conf, 0644);
	pid = fork();
	if (pid == 0) {
		execlp("rsync", "rsync", "--daemon", "--no-detach", use,
		       port_word, "--address=127.0.0.1", (char *)NULL);
		_exit(127);
	}
	return pid;
}

static int
connect_to(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd, i;

	for (i = 0; i < 100; i++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			return fd;
		close(fd);
		usleep(50 * 1000);
	}
	abort();
}

/* Pass bytes both ways; from the server at most `most` of them. */
static void
relay(int client, int server, size_t most)
{
	struct pollfd p[2] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };
	char bytes[16384];
	int i;

	while (poll(p, 2, 10000) > 0)
		for (i = 0; i < 2; i++) {
			ssize_t n;

			if (!p[i].revents)
				continue;
			n = read(p[i].fd, bytes, sizeof(bytes));
			if (n <= 0 || (i == 1 && (size_t)n > most))
				return;
			if (i == 1)
				most -= (size_t)n;
			if (write(p[!i].fd, bytes, (size_t)n) != n)
				return;
		}
}

/* The first two connections are cut after 1 and 2 MiB. */
static pid_t
start_relay(int fd, int daemon_port)
{
	pid_t pid = fork();
	int turn;

	if (pid != 0)
		return pid;
	for (turn = 1;; turn++) {
		int client = accept(fd, NULL, NULL);
		int server = connect_to(daemon_port);

		relay(client, server,
		      turn <= 2 ? (size_t)turn * 1024 * 1024 : SIZE_MAX);
		close(client);
		close(server);
	}
}

struct seen {
	int progress, broken, ticks;
	double last;
};

static void
see_progress(void *ctx, const struct tree_progress *p)
{
	struct seen *s = ctx;

	s->progress++;
	s->last = p->percent;
}

static void
see_tick(void *ctx)
{
	((struct seen *)ctx)->ticks++;
}

static void
see_line(void *ctx, const char *line)
{
	struct seen *s = ctx;

	printf("# %s\n", line);
	s->broken += strstr(line, "taking it up again") != NULL;
}

static bool
same(const char *a, const char *b)
{
	AUTO_FREE char *one = at(a);
	AUTO_FREE char *two = at(b);
	const char *const argv[] = { "diff", "-r", "--no-dereference",
				     one,    two,  NULL };
	struct err e;

	return proc_ok(argv, NULL, &e) == 0;
}

static void
check_pull(int port)
{
	AUTO_FREE char *url =
		base_printf("rsync://127.0.0.1:%d/install/V1/tiny/", port);
	AUTO_FREE char *none =
		base_printf("rsync://127.0.0.1:%d/install/V9/tiny/", port);
	AUTO_FREE char *into = at("/chroot/");
	AUTO_FREE char *hard = at("/chroot/b/hard");
	struct seen s = { 0 };
	struct tree_rsync_opts o = { .url = url,
				     .into = into,
				     .pause_max_s = 1,
				     .progress = see_progress,
				     .tick = see_tick,
				     .say = see_line,
				     .ctx = &s };
	struct err e = { 0 };
	struct stat st;

	CHECK_SHOW(0, tree_rsync(&o, &e) == 0, "%s", e.text);
	CHECK(0, s.broken == 2 && s.progress > 0 && s.ticks > 0);
	CHECK(0, s.last == 100);
	CHECK(0, same("/install/V1/tiny", "/chroot"));
	CHECK(0, stat(hard, &st) == 0 && st.st_nlink == 2);
	o.url = none;
	CHECK_SHOW(0,
		   tree_rsync(&o, &e) < 0 && e.kind == ERR_PEER &&
			   strstr(e.text, "not there"),
		   "%s", e.text);
}

static void
make_script_files(void)
{
	put("/chroot/usr/lib/old", "old", 0644);
	put("/chroot/root/.bashrc", "rc", 0600);
	link_to("usr/lib", "/chroot/lib");
	put("/post/lib/x.link", "x", 0640);
	put("/post/root/.ssh/key", "key", 0600);
	put("/post/.top", "top", 0644);
}

static void
check_files(void)
{
	AUTO_FREE char *root = at("/chroot");
	AUTO_FREE char *post = at("/post");
	AUTO_FREE char *home = at("/chroot/root");
	AUTO_FREE char *lib = at("/chroot/lib");
	AUTO_FREE char *landed = at("/chroot/usr/lib/x.link");
	AUTO_FREE char *key = at("/chroot/root/.ssh/key");
	AUTO_FREE char *dot = at("/chroot/.top");
	struct layout l = { .root = root, .top = root };
	struct own o = { .layout = &l, .post_rsync = post };
	struct err e = { 0 };
	struct stat st;

	if (chmod(home, 0700) < 0)
		abort();
	CHECK_SHOW(0, own_copy_files(&o, &e) == 0, "%s", e.text);
	CHECK(0, lstat(lib, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(0, stat(landed, &st) == 0 && (st.st_mode & 07777) == 0640);
	CHECK(0, stat(home, &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(0, stat(key, &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK(0, stat(dot, &st) == 0);
	/* an absolute link would lead into the initrd */
	link_to("/tmp", "/chroot/out");
	put("/post/out/file", "x", 0644);
	CHECK_SHOW(0,
		   own_copy_files(&o, &e) < 0 && e.kind == ERR_INPUT &&
			   strstr(e.text, "/out"),
		   "%s", e.text);
}

int
main(void)
{
	const char *const rm[] = { "rm", "-rf", top, NULL };
	int daemon_port = free_port(), port = 0, fd;
	pid_t daemon, between;
	struct err e;

	if (!mkdtemp(top))
		return 1;
	signal(SIGPIPE, SIG_IGN);
	make_tree();
	daemon = start_daemon(daemon_port);
	fd = peer_listen(&port);
	between = start_relay(fd, daemon_port);
	close(fd);
	check_pull(port);
	kill(between, SIGKILL);
	kill(daemon, SIGTERM);
	waitpid(between, NULL, 0);
	waitpid(daemon, NULL, 0);
	make_script_files();
	check_files();
	proc_ok(rm, NULL, &e);
	return test_end();
}
