/* The table of what is served. Everything that a request may do is a row
 * here; how it came (TCP, unix socket, FastCGI) is not known here. */
#include "server/route.h"
#include "server/handler.h"
#include "lib/log.h"
#include "specs/facts.h"

static const struct row {
	const char *method, *pattern;
	handler *answer;
	handler *check; /* by headers, before a large body is taken */
	size_t max_body;
	bool local; /* operator calls: over a section's unix socket only */
	bool spool;
} rows[] = {
	{ "POST", "/v1/upload", upload_post, .max_body = FACTS_MAX_BYTES },
	{ "POST", "/v1/runs/*/events", run_events_post,
	  .max_body = EVENTS_MAX_BYTES },
	{ "PUT", "/v1/runs/*/log", run_log_put, run_check, LOG_MAX_BYTES,
	  .spool = true },
	{ "GET", "/boot.ipxe", boot_script_get },
	{ "GET", "/boot/*", boot_file_get },
	{ "GET", "/trees/**", trees_get },
	{ "GET", "/v1/machines", machines_get, .local = true },
	{ "GET", "/v1/machines/*", machine_get, .local = true },
	{ "POST", "/v1/machines/*/reinstall", machine_reinstall,
	  .local = true },
	{ "POST", "/v1/machines/*/release", machine_release, .local = true },
	{ "POST", "/v1/machines/*/same", machine_same, .local = true },
	{ "POST", "/v1/machines/*/distinct", machine_distinct, .local = true },
	{ "POST", "/v1/machines/*/forget", machine_forget, .local = true },
	{ "GET", "/v1/machines/*/explain", machine_explain, .local = true },
	{ "POST", "/v1/explain", explain_post, .max_body = FACTS_MAX_BYTES,
	  .local = true },
	{ "POST", "/v1/replay", replay_post, .max_body = REPLAY_MAX_BYTES,
	  .local = true, .spool = true },
	{ "GET", "/v1/problems", problems_get, .local = true },
	{ "GET", "/v1/state", state_get, .local = true },
	{ "GET", "/v1/cmdb/*", cmdb_get, .local = true },
	{ "GET", "/v1/events", feed_get, .local = true },
	{ "POST", "**/upload.py", old_upload_post, NULL, FORM_MAX_BYTES,
	  .spool = true },
	{ "GET", "**/upload.py", old_upload_get },
};

static bool
same_method(const char *asked, const char *has)
{
	return str_eq(asked, has) ||
	       (str_eq(asked, "HEAD") && str_eq(has, "GET"));
}

/* The row of a request, with the "*" in *arg; NULL with 404 or 405. */
static const struct row *
find_row(const struct request *r, char **arg, struct reply *out)
{
	AUTO_CLEAR(buf) allow = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		if (!path_match(rows[i].pattern, r->path, arg))
			continue;
		if (same_method(r->method, rows[i].method))
			return &rows[i];
		if (allow.len)
			buf_str(&allow, ", ");
		buf_str(&allow, rows[i].method);
		if (str_eq(rows[i].method, "GET"))
			buf_str(&allow, ", HEAD");
	}
	if (allow.len == 0) {
		reply_error(out, 404, "nothing is served at %s", r->path);
		return NULL;
	}
	reply_error(out, 405, "%s has other methods: %s", r->path,
		    buf_text(&allow));
	reply_header(out, "Allow", "%s", buf_text(&allow));
	return NULL;
}

/* The row of a request that may be made this way; NULL with the answer. */
static const struct row *
allowed_row(const struct request *r, char **arg, struct reply *out)
{
	const struct row *row = find_row(r, arg, out);

	if (row && row->local && !r->local) {
		reply_error(out, 403,
			    "operator calls are served on the section's unix "
			    "socket only; use edeployctl on the server");
		return NULL;
	}
	return row;
}

bool
route_open(struct app *a, const struct request *r, struct route_plan *plan,
	   struct reply *out)
{
	AUTO_FREE char *arg = NULL;
	const struct row *row = allowed_row(r, &arg, out);

	if (!row)
		return false;
	if (row->check) {
		row->check(a, r, arg, out);
		if (out->status != 0)
			return false;
	}
	plan->max_body = row->max_body;
	plan->spool = plan->slow = row->spool;
	return true;
}

void
route_log(const struct request *r, const struct reply *out)
{
	size_t line = strcspn(buf_text(&out->body), "\n");
	enum log_level level = LOG_WARNING;

	if (out->status < 400) {
		log_line(LOG_DEBUG, "%s: %s %s%s%s: %d", r->peer, r->method,
			 r->path, r->query ? "?" : "", r->query ? r->query : "",
			 out->status);
		return;
	}
	if (out->status >= 500 && out->status != 503)
		level = LOG_ERROR;
	log_line(level, "%s: %s %s: %d %.*s", r->peer, r->method, r->path,
		 out->status, (int)(line < 400 ? line : 400),
		 buf_text(&out->body));
}

void
route(struct app *a, const struct request *r, struct reply *out)
{
	AUTO_FREE char *arg = NULL;
	const struct row *row = allowed_row(r, &arg, out);

	if (row && r->body_len > row->max_body)
		reply_error(out, 413, "more than %zu bytes", row->max_body);
	else if (row)
		row->answer(a, r, arg, out);
	reply_header(out, "Server", "edeployd");
}
