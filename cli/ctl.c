#include <stdio.h>

#include "cli/ctl.h"
#include "cli/options.h"
#include "lib/base.h"
#include "lib/clock.h"
#include "lib/cmd.h"
#include "lib/http.h"
#include "lib/json.h"
#include "lib/text.h"

/* Options that not every command takes, and those that do. */
static bool
fits(const char *option, const char *command)
{
	static const struct {
		const char *option, *commands;
	} rows[] = { { "--site",
		       " check match explain cmdb state adopt replay " },
		     { "--was", " replay " },
		     { "--all", " explain " },
		     { "--until-done", " watch " } };
	AUTO_FREE char *word = base_printf(" %s ", command);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(rows[i].option, option))
			return strstr(rows[i].commands, word) != NULL;
	return true;
}

int
ctl_options(struct ctl *c, int argc, char **argv, int least, int most)
{
	struct option rows[] = {
		{ "-c", .value = &c->conf_path },
		{ "--site", .value = &c->site_dir },
		{ "--was", .value = &c->was_dir },
		{ "--section", .value = &c->section },
		{ "--json", .flag = &c->json },
		{ "--all", .flag = &c->all },
		{ "--until-done", .flag = &c->until_done },
	};
	size_t i;

	*c = (struct ctl){ .conf_path = "/etc/edeploy.conf",
			   .words = argv + 1 };
	for (i = 0; i < ARRAY_LEN(rows); i++)
		rows[i].absent = !fits(rows[i].name, argv[0]);
	c->len = options_take(rows, ARRAY_LEN(rows), argc, argv, least, most);
	return c->len < 0 ? -1 : 0;
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
	 const struct buf *body, int deadline_ms, struct value **out,
	 struct err *e)
{
	static const char *const headers[] = { "Content-Type: application/json",
					       NULL };
	const struct http_ask ask = { .method = method,
				      .headers = headers,
				      .body = buf_text(body),
				      .body_len = body->len,
				      .deadline_ms = deadline_ms };

	return exchange(c, ask, path, out, e);
}

char *
ctl_machine_path(const char *name, const char *action)
{
	AUTO_CLEAR(buf) path = { 0 };

	buf_str(&path, "/v1/machines/");
	text_url_encode(name, &path);
	if (action)
		buf_printf(&path, "/%s", action);
	return buf_take(&path);
}

int64_t
ctl_number(const struct value *v, const char *key, int64_t absent)
{
	const struct value *m = value_get(v, key);

	if (m && m->kind == VALUE_REAL && m->real > -1e15 && m->real < 1e15)
		return (int64_t)m->real;
	return value_get_int(v, key, absent);
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
