/* What a choice comes to, with a real server of files that breaks its first
 * large answer in the middle. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/tree.h"
#include "lib/file.h"
#include "lib/num.h"
#include "lib/proc.h"
#include "rsyncd/publish.h"
#include "tests/peer.h"
#include "tests/test.h"

#define LARGE 100000

static char top[] = "/tmp/edeploy-bring-XXXXXX";

/* A shell's words, in the folder of the test. */
static void
sh(const char *words)
{
	AUTO_FREE char *all = base_printf("cd %s && %s", top, words);
	const char *const argv[] = { "sh", "-ec", all, NULL };
	struct err e = { 0 };

	if (proc_ok(argv, NULL, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
}

/* ---- the server ---- */

static void
give(int c, const char *bytes, size_t len)
{
	struct err e = { 0 };

	fd_write_all(c, bytes, len, &e);
}

/* One request: GET or HEAD of a file below TOP/www, with "bytes=N-". */
static void
answer(int c, bool *broke)
{
	char ask[4096], *path = strchr(ask, ' '), *range;
	AUTO_FREE char *file = NULL;
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *head = NULL;
	struct err e = { 0 };
	size_t len = 0, at = 0, send;
	bool there;

	if (peer_read(c, ask, sizeof(ask)) == 0 || !(path = strchr(ask, ' ')))
		return;
	range = strstr(ask, "Range: bytes=");
	at = range ? strtoul(range + 13, NULL, 10) : 0;
	path[1 + strcspn(path + 1, " ?")] = '\0';
	file = base_printf("%s/www%s", top, path + 1);
	there = file_read(file, 1 << 24, &text, &len, &e) == 0;
	head = base_printf("HTTP/1.1 %s\r\nConnection: close\r\n"
			   "Content-Range: bytes %zu-%zu/%zu\r\n"
			   "Content-Length: %zu\r\n\r\n",
			   !there  ? "404 no"
			   : range ? "206 part"
				   : "200 OK",
			   at, len - 1, len, len - at);
	give(c, head, strlen(head));
	send = there && str_starts(ask, "GET") ? len - at : 0;
	if (send > LARGE && !*broke) {
		*broke = true;
		send = LARGE / 2;
	}
	if (send > 0)
		give(c, text + at, send);
}

static pid_t
start_server(int *port)
{
	int fd = peer_listen(port);
	pid_t pid = fork();
	bool broke = false;

	while (pid == 0) {
		int c = accept(fd, NULL, NULL);

		answer(c, &broke);
		shutdown(c, SHUT_WR);
		while (read(c, &(char[512]){ 0 }, 512) > 0)
			;
		close(c);
	}
	close(fd);
	return pid;
}

/* The tree ./in as role web, version V1, below www/signed. */
static void
publish_web(void)
{
	AUTO_FREE char *file = base_printf("%s/key", top);
	AUTO_FREE char *pub = base_printf("%s/pub", top);
	AUTO_FREE char *in = base_printf("%s/in", top);
	struct publish_result result;
	struct sign_key key;
	const struct publish_opts o = { .top = pub,
					.role = "web",
					.version = "V1",
					.dir = in,
					.key = &key };
	struct err e = { 0 };

	sh("mkdir pub && ln -s ../pub/trees www/signed");
	if (sign_key_make(file, &e) < 0 || sign_key_read(&key, file, &e) < 0 ||
	    publish(&o, &result, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
	publish_result_clear(&result);
}

/* ---- what is asked, and what comes of it ---- */

static const struct {
	const char *make; /* with the server's folder as ./www, the root ./in */
	const char *line, *role;
	const char *want; /* in the error; "": it comes as ./in is */
	enum err_kind kind;
	const char *said; /* in a line that it says, or NULL */
} rows[] = {
	{ "mkdir -p www/install/V1 && tar czf www/install/V1/web-V1.edeploy "
	  "-C in .",
	  "HSERV=127.0.0.1 HSERV_PORT=%d", "web", "", ERR_NONE,
	  "which nobody signed" },
	{ "mkdir -p www/x/V1 && tar cf www/x/V1/web-V1.edeploy -C in .",
	  "HSERV=127.0.0.1 HSERV_PORT=%d HPATH=/x", "web", "", ERR_NONE, NULL },
	{ ":", "HSERV=127.0.0.1 HSERV_PORT=%d", "mail",
	  "neither a published tree nor an archive", ERR_PEER, NULL },
	{ "truncate -s 150000 www/install/V1/web-V1.edeploy",
	  "HSERV=127.0.0.1 HSERV_PORT=%d", "web", "cannot be read", ERR_PEER,
	  NULL },
	{ "printf 'XXXXX' | dd of=www/install/V1/web-V1.edeploy bs=1 "
	  "seek=90000 conv=notrunc status=none",
	  "HSERV=127.0.0.1 HSERV_PORT=%d", "web", "cannot be read", ERR_PEER,
	  NULL },
	{ "rm -r www/install", "TREE=http://127.0.0.1:%d/install", "web",
	  "is not published at http://127.0.0.1", ERR_PEER, NULL },
	{ ":", "SERV=127.0.0.1 HTTP_PORT=%d", "web", "rsync exit 10", ERR_PEER,
	  "from rsync://127.0.0.1:873/install/V1/web/, which nobody signed" },
	{ ":", "RSERV=127.0.0.1 RSERV_PORT=1", "web", "rsync exit 10", ERR_PEER,
	  NULL },
	{ "mkdir -p www/trees/web/V1 && echo x >www/trees/web/V1/HEAD",
	  "SERV=127.0.0.1 HTTP_PORT=%d", "web", "has no key to check it by",
	  ERR_REFUSED, NULL },
	{ ":", "TREE=http://127.0.0.1:%d/trees", "web", "no key", ERR_REFUSED,
	  NULL },
	{ ":", "HSERV=127.0.0.1 HSERV_PORT=%d HPATH=trees", "web", "no key",
	  ERR_REFUSED, NULL },
	{ "printf 'edeploy-key 1\\npublic %s\\n' "
	  "$(head -c 32 /dev/urandom | base64) >trees.pub",
	  "TREE=http://127.0.0.1:%d/trees", "web", "web/V1/HEAD", ERR_INPUT,
	  NULL },
	/* published by publish_web() */
	{ ":", "TREE=http://127.0.0.1:%d/signed", "web", "is not trusted here",
	  ERR_REFUSED, NULL },
	{ "cp key.pub trees.pub", "TREE=http://127.0.0.1:%d/signed", "web", "",
	  ERR_NONE, "signature and every file checked" },
	{ ":", "HSERV=127.0.0.1 HSERV_PORT=%d HPATH=signed", "web", "",
	  ERR_NONE, "signature and every file checked" },
	{ "rm -r www/trees && ln -s signed www/trees",
	  "SERV=127.0.0.1 HTTP_PORT=%d", "web", "", ERR_NONE,
	  "signature and every file checked" },
	{ "for f in pub/trees/web/V1/full-*; do printf X | dd of=$f bs=1 "
	  "seek=90 conv=notrunc status=none; done",
	  "TREE=http://127.0.0.1:%d/signed", "web", "damaged", ERR_PEER, NULL },
};

static struct buf said;

static void
hear(void *ctx, const char *line)
{
	(void)ctx;
	buf_printf(&said, "%s\n", line);
}

static void
hear_progress(void *ctx, const struct tree_progress *p)
{
	CHECK(0, p->percent >= 0 && p->percent <= 100);
	*(double *)ctx = p->percent;
}

static void
tick(void *ctx)
{
	(void)ctx;
}

static void
try(size_t i, int port)
{
	AUTO_FREE char *into = base_printf("%s/out", top);
	AUTO_FREE char *trust = base_printf("%s/trees.pub", top);
	AUTO_CLEAR(buf) line = { 0 };
	const char *hole = strstr(rows[i].line, "%d");
	struct tree_choice choice;
	double percent = 0;
	AUTO_FREE char *record = base_printf("%s" TREE_RECORD, into);
	const struct tree_opts o = { .choice = &choice,
				     .role = rows[i].role,
				     .version = "V1",
				     .into = into,
				     .record = record,
				     .trust = trust,
				     .tries = 2,
				     .pause_max_s = 1,
				     .progress = hear_progress,
				     .tick = tick,
				     .say = hear,
				     .ctx = &percent };
	struct words w;
	struct err e = { 0 };
	int bad, there;

	sh("rm -rf out && mkdir out");
	sh(rows[i].make);
	buf_add(&line, rows[i].line,
		hole ? (size_t)(hole - rows[i].line) : strlen(rows[i].line));
	if (hole)
		buf_printf(&line, "%d%s", port, hole + 2);
	buf_reset(&said);
	CHECK(i, words_parse(&w, buf_text(&line), &e) == 0);
	tree_choose(&w, NULL, rows[i].role, "V1", &choice);
	there = tree_published(&o, &e);
	bad = there < 0 ? -1 : tree_bring(&o, there, &e);
	CHECK_SHOW(i, (bad < 0) == (*rows[i].want != '\0'), "%s", e.text);
	CHECK_SHOW(i,
		   !bad || (strstr(e.text, rows[i].want) &&
			    e.kind == rows[i].kind),
		   "%d: %s", e.kind, e.text);
	CHECK_SHOW(i, !rows[i].said || strstr(buf_text(&said), rows[i].said),
		   "%s", buf_text(&said));
	if (!bad) {
		CHECK(i, percent == 100);
		sh("rm -rf out/var && diff -r in out");
	}
	tree_choice_clear(&choice);
	words_clear(&w);
}

int
main(void)
{
	struct err e = { 0 };
	int port;
	pid_t server;

	if (!mkdtemp(top))
		abort();
	signal(SIGPIPE, SIG_IGN);
	sh("mkdir -p in/a www && head -c 300000 /dev/urandom >in/a/f && "
	   "ln -s f in/a/l && echo x >in/.dot");
	publish_web();
	server = start_server(&port);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		try(i, port);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	buf_clear(&said);
	CHECK(0, dir_remove(top, &e) == 0);
	return test_end();
}
