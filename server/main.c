/* edeployd: opens the sites, listens, and waits for the signal to stop. All
 * that decides is in site/; all that answers is behind route(). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "server/fronts.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/num.h"

#define STOP_MS 10000 /* for requests in flight after SIGTERM */
#define REQUEST_S 30
#define SITES_MAX 64

struct options {
	const char *conf, *listen, *fastcgi;
	int request_s;
};

struct server {
	struct confs *confs;
	struct app app;
	struct fronts *fronts;
};

static const char usage[] =
	"usage: edeployd [-c FILE] [--listen ADDR:PORT] [--fastcgi SOCKET]\n"
	"                [--request-seconds N]\n"
	"\n"
	"The server of eDeploy: gives each machine that asks its profile.\n"
	"\n"
	"  -c, --config FILE      configuration (/etc/edeploy.conf)\n"
	"  --listen ADDR:PORT     serve there instead of LISTEN; port 0: any\n"
	"  --fastcgi SOCKET       serve a web server there, instead of "
	"FASTCGI\n"
	"  --request-seconds N    a request must have arrived after that (30)\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version\n"
	"\n"
	"Logs go to stderr. SIGTERM and SIGINT end it when the requests in\n"
	"flight are answered. Exit: 0 stopped, 1 failed, 2 usage or\n"
	"configuration.\n";

static int
say_usage(const char *what)
{
	fprintf(stderr, "edeployd: %s\n%s", what, usage);
	return 2;
}

/* -1 to go on, else the exit code. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "listen", required_argument, NULL, 'l' },
		{ "fastcgi", required_argument, NULL, 'f' },
		{ "request-seconds", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 }
	};
	struct err e = { 0 };
	uint64_t n;
	int c;

	while ((c = getopt_long(argc, argv, "c:hV", known, NULL)) != -1)
		switch (c) {
		case 'c':
			o->conf = optarg;
			break;
		case 'l':
			o->listen = optarg;
			break;
		case 'f':
			o->fastcgi = optarg;
			break;
		case 'r':
			if (num_u64(optarg, 1, 3600, &n, "--request-seconds",
				    &e) < 0)
				return say_usage(e.text);
			o->request_s = (int)n;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("edeployd " EDEPLOY_VERSION);
			return 0;
		default:
			return say_usage("see the options below");
		}
	return optind < argc ? say_usage("takes no arguments") : -1;
}

/* A directory that will be written to must take a file now, not at the first
 * machine. */
static int
check_writable(const char *key, const char *dir, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/.try-XXXXXX", dir);
	AUTO_CLOSE int fd = -1;

	if (dir_make(dir, 0755, e) < 0)
		return err_add(e, "%s", key);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s %s cannot be written to", key, dir);
	unlink(path);
	return 0;
}

/* A role has one name wherever it is installed: one folder for all. */
static int
take_trees(struct server *sv, const struct conf *c, struct err *e)
{
	if (!c->trees || str_eq(c->trees, sv->app.trees))
		return 0;
	if (sv->app.trees)
		return err_set(e, ERR_INPUT,
			       "[%s] TREES is another folder than the %s of a "
			       "section before: a server has one",
			       c->section, sv->app.trees);
	sv->app.trees = c->trees;
	return 0;
}

static int
open_site(struct server *sv, const struct conf *c, struct err *e)
{
	struct site *s = NULL;

	if (c->hwdir && check_writable("HWDIR", c->hwdir, e) < 0)
		return err_add(e, "[%s]", c->section);
	if (check_writable("LOGDIR", c->logdir, e) < 0)
		return err_add(e, "[%s]", c->section);
	if (site_open(&s, c, e) < 0)
		return err_add(e, "[%s]", c->section);
	sv->app.site[sv->app.len++] = s;
	return 0;
}

static int
open_sites(struct server *sv, const char *path, struct err *e)
{
	if (confs_read(&sv->confs, path, e) < 0)
		return -1;
	if (sv->confs->len == 0 || sv->confs->len > SITES_MAX)
		return err_set(e, ERR_INPUT,
			       "%s: from 1 to %d sections are "
			       "needed",
			       path, SITES_MAX);
	sv->app.site = base_array(sv->confs->len, sizeof(*sv->app.site));
	for (size_t i = 0; i < sv->confs->len; i++)
		if (take_trees(sv, &sv->confs->at[i], e) < 0 ||
		    open_site(sv, &sv->confs->at[i], e) < 0)
			return -1;
	return 0;
}

static int
serve(struct server *sv, const struct options *o, struct err *e)
{
	struct fronts_opts f = { .app = &sv->app,
				 .confs = sv->confs,
				 .conf_path = o->conf,
				 .listen = o->listen,
				 .fastcgi = o->fastcgi,
				 .request_s = o->request_s };

	return fronts_open(&sv->fronts, &f, e);
}

/* sd_notify(3) without its library. */
static void
tell_systemd(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = -1;
	size_t len = path ? strlen(path) : 0;

	if (len < 2 || len >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!sendto(
			fd, text, strlen(text), MSG_NOSIGNAL,
			(struct sockaddr *)&sun,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				    len));
}

/* Until a signal to stop comes; deadlines are looked at meanwhile. */
static void
wait_for_stop(struct server *sv, const sigset_t *stop)
{
	const struct timespec second = { .tv_sec = 1 };
	int sig;

	do {
		sig = sigtimedwait(stop, NULL, &second);
		fronts_tick(sv->fronts);
	} while (sig < 0);
	log_line(LOG_INFO, "%s: stopping, %u requests in flight",
		 sig == SIGTERM ? "SIGTERM" : "SIGINT",
		 fronts_busy(sv->fronts));
}

static void
finish(struct server *sv)
{
	int64_t until = clock_boot_ms() + STOP_MS;
	const struct timespec moment = { .tv_nsec = 20 * 1000 * 1000 };

	sv->app.stopping = true;
	fronts_quiesce(sv->fronts);
	while (fronts_busy(sv->fronts) > 0 && clock_boot_ms() < until)
		nanosleep(&moment, NULL);
	if (fronts_busy(sv->fronts) > 0)
		log_line(LOG_WARNING, "%u requests were cut after %d s",
			 fronts_busy(sv->fronts), STOP_MS / 1000);
}

static void
close_all(struct server *sv)
{
	sv->app.stopping = true;
	fronts_free(sv->fronts);
	for (size_t i = 0; i < sv->app.len; i++)
		site_free(sv->app.site[i]);
	free(sv->app.site);
	confs_free(sv->confs);
}

/* Not an error: the first version may be published after the start. */
static void
look_at_trees(const char *trees)
{
	if (trees && access(trees, R_OK | X_OK) < 0)
		log_line(LOG_WARNING,
			 "TREES %s: %m: machines are told that nothing is "
			 "published; edeployctl publish makes it, or correct "
			 "TREES in edeploy.conf",
			 trees);
}

static int
run(const struct options *o, const sigset_t *stop)
{
	struct server sv = { 0 };
	struct err e = { 0 };
	int code = 0;

	if (open_sites(&sv, o->conf, &e) < 0 || serve(&sv, o, &e) < 0) {
		log_line(LOG_ERROR, "%s", e.text);
		code = e.kind == ERR_INPUT ? 2 : 1;
	} else {
		log_line(LOG_WARNING,
			 "every machine on the networks of these "
			 "addresses is served: nothing asks for approval yet");
		look_at_trees(sv.app.trees);
		log_line(LOG_INFO, "ready: %zu section%s", sv.app.len,
			 sv.app.len == 1 ? "" : "s");
		tell_systemd("READY=1");
		wait_for_stop(&sv, stop);
		tell_systemd("STOPPING=1");
		finish(&sv);
	}
	close_all(&sv);
	return code;
}

int
main(int argc, char **argv)
{
	struct options o = { .conf = "/etc/edeploy.conf",
			     .request_s = REQUEST_S };
	struct rlimit files;
	sigset_t stop;
	int code = read_options(argc, argv, &o);

	if (code >= 0)
		return code;
	log_open("edeployd", getenv("EDEPLOYD_DEBUG") ? LOG_DEBUG : LOG_INFO);
	/* Blocked before any thread is made, so that only main takes them. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	return run(&o, &stop);
}
