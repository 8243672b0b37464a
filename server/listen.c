/* Listening sockets, made here and not by libmicrohttpd, so that a failure can
 * say what holds the address. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "server/listen.h"
#include "lib/base.h"
#include "lib/file.h"

#define BACKLOG 1024

static struct addrinfo *
read_address(const char *text, struct err *e)
{
	AUTO_FREE char *host = base_strdup(text);
	struct addrinfo hint = { .ai_family = AF_UNSPEC,
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV |
					     AI_PASSIVE };
	struct addrinfo *found = NULL;
	char *colon = strrchr(host, ':'), *name = host;
	size_t len;

	if (colon) {
		*colon = '\0';
		len = strlen(name);
		if (name[0] == '[' && name[len - 1] == ']') {
			name[len - 1] = '\0';
			name++;
		}
		if (*name && colon[1] &&
		    getaddrinfo(name, colon + 1, &hint, &found) == 0)
			return found;
	}
	err_set(e, ERR_INPUT,
		"listen address \"%.80s\" is not ADDR:PORT, as in 0.0.0.0:80 "
		"or [::]:80",
		text);
	return NULL;
}

static void
show_address(int fd, char shown[LISTEN_SHOWN])
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	char host[64] = "?", port[8] = "?";

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		getnameinfo((struct sockaddr *)&ss, len, host, sizeof(host),
			    port, sizeof(port),
			    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(shown, LISTEN_SHOWN,
		 ss.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int
listen_tcp(const char *text, char shown[LISTEN_SHOWN], struct err *e)
{
	struct addrinfo *a = read_address(text, e);
	AUTO_CLOSE int fd = -1;
	int on = 1, off = 0, bad, listening;

	if (!a)
		return -1;
	fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (a->ai_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off,
				   sizeof(off));
	}
	bad = fd < 0 || bind(fd, a->ai_addr, a->ai_addrlen) < 0 ||
	      listen(fd, BACKLOG) < 0;
	freeaddrinfo(a);
	if (bad && errno == EADDRINUSE)
		return err_set(
			e, ERR_SYS,
			"cannot listen on %s: another program does (`ss -ltnp` "
			"shows it); stop it or choose another LISTEN",
			text);
	if (bad)
		return err_sys(e, "cannot listen on %s", text);
	show_address(fd, shown);
	listening = fd;
	fd = -1;
	return listening;
}

/* A socket file that nobody answers at is left from a server that was
 * killed. */
static int
remove_stale(const char *key, const struct sockaddr_un *sun, struct err *e)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (lstat(sun->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_REFUSED,
			       "%s %s is there and is no socket; move it away",
			       key, sun->sun_path);
	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0)
		return err_set(e, ERR_REFUSED,
			       "%s %s: another edeployd serves it", key,
			       sun->sun_path);
	if (unlink(sun->sun_path) < 0)
		return err_sys(e, "%s %s", key, sun->sun_path);
	return 0;
}

int
listen_unix(const char *key, const char *path, struct err *e)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	AUTO_FREE char *dir = base_strdup(path);
	AUTO_CLOSE int fd = -1;
	char *slash = strrchr(dir, '/');
	mode_t before;
	int bad, listening;

	if (strlen(path) >= sizeof(sun.sun_path))
		return err_set(e, ERR_INPUT,
			       "%s %.120s is longer than %zu bytes", key, path,
			       sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, path, strlen(path));
	if (slash && slash != dir) {
		*slash = '\0';
		if (dir_make(dir, 0755, e) < 0)
			return -1;
	}
	if (remove_stale(key, &sun, e) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	before = umask(0117); /* no moment in which others may connect */
	bad = fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0;
	umask(before);
	if (bad || listen(fd, BACKLOG) < 0)
		return err_sys(e, "%s %s", key, path);
	listening = fd;
	fd = -1;
	return listening;
}
