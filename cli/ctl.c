#include <stdio.h>

#include "cli/ctl.h"
#include "lib/base.h"
#include "lib/clock.h"
#include "lib/cmd.h"
#include "lib/http.h"
#include "lib/json.h"
#include "lib/text.h"

static int
bad_usage(const char *command, const char *what)
{
	fprintf(stderr, "edeployctl %s: %s; edeployctl help %s tells more\n",
		command, what, command);
	return -1;
}

int
ctl_options(struct ctl *c, int argc, char **argv, int least, int most)
{
	const struct {
		const char *name;
		const char **value;
	} takes[] = { { "-c", &c->conf_path },
		      { "--site", &c->site_dir },
		      { "--section", &c->section } };
	int i;
	size_t k;

	*c = (struct ctl){ .conf_path = "/etc/edeploy.conf" };
	for (i = 1; i < argc; i++) {
		for (k = 0; k < ARRAY_LEN(takes); k++)
			if (str_eq(argv[i], takes[k].name))
				break;
		if (k < ARRAY_LEN(takes)) {
			if (++i == argc)
				return bad_usage(argv[0],
						 "an option without its value");
			*takes[k].value = argv[i];
		} else if (str_eq(argv[i], "--json")) {
			c->json = true;
		} else if (str_eq(argv[i], "--all")) {
			c->all = true;
		} else if (argv[i][0] == '-' && argv[i][1]) {
			return bad_usage(argv[0], "an unknown option");
		} else if (c->len == most) {
			return bad_usage(argv[0], "too many words");
		} else {
			c->words[c->len++] = argv[i];
		}
	}
	return c->len < least ? bad_usage(argv[0], "a word is missing") : 0;
}

void
ctl_clear(struct ctl *c)
{
	confs_free(c->confs);
	c->confs = NULL;
}

const struct conf *
ctl_conf(struct ctl *c, struct err *e)
{
	const struct conf *found;

	if (c->site_dir)
		c->confs = confs_of_site(c->site_dir);
	else if (!c->confs && confs_read(&c->confs, c->conf_path, e) < 0)
		return NULL;
	if (!c->section && c->confs->len == 1)
		return &c->confs->at[0];
	found = confs_find(c->confs, c->section ? c->section : "SERVER");
	if (!found)
		err_set(e, ERR_INPUT,
			"%s has no section [%s]; say --section NAME",
			c->conf_path, c->section ? c->section : "SERVER");
	return found;
}

/* The first line of an error's body is its reason. */
static int
refused(const struct http_answer *a, struct err *e)
{
	const char *text = buf_text(&a->body);

	return err_set(e, ERR_REFUSED, "%.*s", (int)strcspn(text, "\n"), text);
}

static int
exchange(struct ctl *c, struct http_ask ask, const char *path,
	 struct value **out, struct err *e)
{
	const struct conf *conf = ctl_conf(c, e);
	AUTO_FREE char *url = NULL;
	struct http_answer a;
	int failed;

	if (!conf)
		return -1;
	url = base_printf("http://edeployd%s", path);
	ask.url = url;
	ask.unix_socket = conf->socket;
	ask.connect_ms = 3000;
	ask.max_body = 256u * 1024 * 1024;
	failed = http_do(&ask, &a, e);
	if (failed < 0)
		err_set(e, ERR_PEER,
			"edeployd does not answer at %s; is it running, and "
			"may you open that socket?",
			conf->socket);
	else if (a.status >= 300)
		failed = refused(&a, e);
	else if (out)
		failed = json_parse(out, buf_text(&a.body), a.body.len, e);
	http_answer_clear(&a);
	return failed;
}

int
ctl_ask(struct ctl *c, const char *method, const char *path, int deadline_ms,
	struct value **out, struct err *e)
{
	const struct http_ask ask = { .method = method,
				      .deadline_ms = deadline_ms };

	return exchange(c, ask, path, out, e);
}

int
ctl_send(struct ctl *c, const char *method, const char *path,
	 const struct buf *body, struct value **out, struct err *e)
{
	static const char *const headers[] = { "Content-Type: application/json",
					       NULL };
	const struct http_ask ask = { .method = method,
				      .headers = headers,
				      .body = buf_text(body),
				      .body_len = body->len };

	return exchange(c, ask, path, out, e);
}

int
ctl_fail(const struct err *e)
{
	fprintf(stderr, "edeployctl: %s\n", e->text);
	return CMD_FAILED;
}

int
ctl_print_json(const struct value *v)
{
	AUTO_CLEAR(buf) text = { 0 };

	value_json(v, 2, &text);
	puts(text.at);
	return CMD_DONE;
}

/* ---- tables ---- */

void
table_add(struct table *t, const char *cell)
{
	AUTO_CLEAR(buf) shown = { 0 };

	if (cell && *cell)
		text_show(cell, strlen(cell), 1, &shown);
	t->cells = base_resize(t->cells, t->len + 1, sizeof(*t->cells));
	t->cells[t->len++] = shown.len ? buf_take(&shown) : base_strdup("-");
}

static int
width_of(const struct table *t, size_t column)
{
	size_t i, most = 0;

	for (i = column; i < t->len; i += t->columns)
		if (strlen(t->cells[i]) > most)
			most = strlen(t->cells[i]);
	return (int)most;
}

void
table_print(const struct table *t)
{
	size_t i;

	for (i = 0; i < t->len; i++) {
		bool last = i % t->columns == t->columns - 1;

		if (last)
			printf("%s\n", t->cells[i]);
		else
			printf("%-*s  ", width_of(t, i % t->columns),
			       t->cells[i]);
	}
}

void
table_clear(struct table *t)
{
	size_t i;

	for (i = 0; i < t->len; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct table){ 0 };
}

void
ago_text(int64_t wall_ms, char out[24])
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" } };
	int64_t s = (clock_wall_ms() - wall_ms) / 1000;
	size_t i;

	for (i = 0; i < ARRAY_LEN(units); i++)
		if (s >= 2 * units[i].seconds) {
			snprintf(out, 24, "%lld %s",
				 (long long)(s / units[i].seconds),
				 units[i].unit);
			return;
		}
	snprintf(out, 24, "%lld s", (long long)(s < 0 ? 0 : s));
}
