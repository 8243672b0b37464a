/* Which sockets there are: an address that several sections name is served
 * once, since the section is in the request; a section's own unix socket serves
 * only that section, to its operators. */
#include "server/fronts.h"
#include "server/fcgi.h"
#include "server/http.h"
#include "server/listen.h"
#include "lib/log.h"

struct fronts {
	struct http_server **http;
	size_t https;
	struct fcgi_server **fcgi;
	size_t fcgis;
	char **path; /* of unix sockets made by us */
	size_t paths;
};

static const char *
spool_dir(const struct fronts_opts *o)
{
	return o->confs->at[0].storedir;
}

static int
serve_http(struct fronts *f, const struct fronts_opts *o, int fd,
	   const char *section, struct err *e)
{
	struct http_opts h = { .app = o->app,
			       .fd = fd,
			       .section = section,
			       .spool_dir = spool_dir(o),
			       .request_s = o->request_s };

	if (fd < 0 || http_server_start(&f->http[f->https], &h, e) < 0)
		return -1;
	f->https++;
	return 0;
}

static int
serve_tcp(struct fronts *f, const struct fronts_opts *o, const char *address,
	  struct err *e)
{
	char shown[LISTEN_SHOWN];
	int fd = listen_tcp(address, shown, e);

	if (serve_http(f, o, fd, NULL, e) < 0)
		return -1;
	log_line(LOG_INFO, "listening on %s", shown);
	return 0;
}

static int
serve_fcgi(struct fronts *f, const struct fronts_opts *o, const char *path,
	   struct err *e)
{
	struct fcgi_opts h = { .app = o->app, .spool_dir = spool_dir(o) };

	h.fd = listen_unix("FASTCGI", path, e);
	if (h.fd < 0)
		return -1;
	f->path[f->paths++] = base_strdup(path);
	if (fcgi_server_start(&f->fcgi[f->fcgis], &h, e) < 0)
		return -1;
	f->fcgis++;
	log_line(LOG_INFO, "FastCGI on %s", path);
	return 0;
}

static int
serve_socket(struct fronts *f, const struct fronts_opts *o,
	     const struct conf *c, struct err *e)
{
	int fd = listen_unix("SOCKET", c->socket, e);

	if (fd >= 0)
		f->path[f->paths++] = base_strdup(c->socket);
	return serve_http(f, o, fd, c->section, e);
}

/* A section before `i` names this address, too. */
static bool
is_served(const struct confs *cs, size_t i, bool fastcgi)
{
	const struct conf *c = &cs->at[i];

	for (size_t j = 0; j < i; j++)
		if (fastcgi ? str_eq(cs->at[j].fastcgi, c->fastcgi)
			    : str_eq(cs->at[j].listen, c->listen))
			return true;
	return false;
}

/* What sections say, where no option says it for all. */
static int
serve_section(struct fronts *f, const struct fronts_opts *o, size_t i,
	      struct err *e)
{
	const struct conf *c = &o->confs->at[i];
	bool tcp = c->listen && !o->listen && !is_served(o->confs, i, false);
	bool fcgi = c->fastcgi && !o->fastcgi && !is_served(o->confs, i, true);

	if (serve_socket(f, o, c, e) < 0 ||
	    (tcp && serve_tcp(f, o, c->listen, e) < 0) ||
	    (fcgi && serve_fcgi(f, o, c->fastcgi, e) < 0))
		return err_add(e, "[%s]", c->section);
	return 0;
}

static int
serve_all(struct fronts *f, const struct fronts_opts *o, struct err *e)
{
	for (size_t i = 0; i < o->confs->len; i++)
		if (serve_section(f, o, i, e) < 0)
			return -1;
	if (o->listen && serve_tcp(f, o, o->listen, e) < 0)
		return -1;
	if (o->fastcgi && serve_fcgi(f, o, o->fastcgi, e) < 0)
		return -1;
	if (f->https == o->confs->len && f->fcgis == 0)
		return err_set(e, ERR_INPUT,
			       "%s: no LISTEN or FASTCGI, and no --listen or "
			       "--fastcgi: say where to serve, as in LISTEN = "
			       "0.0.0.0:80",
			       o->conf_path);
	return 0;
}

int
fronts_open(struct fronts **out, const struct fronts_opts *o, struct err *e)
{
	AUTO(fronts) f = base_alloc(sizeof(*f));
	size_t max = o->confs->len * 2 + 2;

	f->http = base_array(max, sizeof(struct http_server *));
	f->fcgi = base_array(max, sizeof(struct fcgi_server *));
	f->path = base_array(max, sizeof(char *));
	if (serve_all(f, o, e) < 0)
		return -1;
	*out = STEAL(f);
	return 0;
}

void
fronts_tick(struct fronts *f)
{
	for (size_t i = 0; i < f->https; i++)
		http_server_tick(f->http[i]);
}

void
fronts_quiesce(struct fronts *f)
{
	for (size_t i = 0; i < f->https; i++)
		http_server_quiesce(f->http[i]);
	for (size_t i = 0; i < f->fcgis; i++)
		fcgi_server_quiesce(f->fcgi[i]);
}

unsigned
fronts_busy(const struct fronts *f)
{
	unsigned n = 0;

	for (size_t i = 0; i < f->https; i++)
		n += http_server_busy(f->http[i]);
	for (size_t i = 0; i < f->fcgis; i++)
		n += fcgi_server_busy(f->fcgi[i]);
	return n;
}

void
fronts_free(struct fronts *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->https; i++)
		http_server_free(f->http[i]);
	for (size_t i = 0; i < f->fcgis; i++)
		fcgi_server_free(f->fcgi[i]);
	for (size_t i = 0; i < f->paths; i++) {
		unlink(f->path[i]);
		free(f->path[i]);
	}
	free(f->http);
	free(f->fcgi);
	free(f->path);
	free(f);
}
