/* The first eDeploy's CGI, as its agents (curl -F) and its users' habits know
 * it: same fields, same error texts, but a status that tells the truth. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "server/handler.h"
#include "server/hwfile.h"
#include "server/multipart.h"
#include "lib/file.h"
#include "specs/facts.h"

#define LOG_NAME_MAX 200 /* bytes; leaves room for the time of a rename */
#define FIELD_MAX 128

/* A field's text, "" when absent; cut where no real one reaches, so that an
 * endless name is an unknown one. */
static char *
field_text(const struct parts *ps, const char *name)
{
	const struct part *p = parts_find(ps, name);

	if (!p)
		return base_strdup("");
	return base_strndup(p->at, p->len < FIELD_MAX ? p->len : FIELD_MAX);
}

/* Base name of an uploaded log, or NULL when it cannot be a file's name. */
static const char *
log_name(const char *filename)
{
	static const char allowed[] = "0123456789._-"
				      "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *slash = strrchr(filename, '/');
	const char *name = slash ? slash + 1 : filename;
	size_t len = strlen(name);

	if (len > LOG_NAME_MAX || name[0] == '.' ||
	    strspn(name, allowed) != len)
		return NULL;
	return name;
}

/* Give an older log of that name its time, so that nothing is lost. */
static int
log_rename(int dir, const char *name)
{
	size_t stem = strlen(name) - strlen(".log.gz");
	struct stat st;
	struct tm tm;
	char when[32], other[LOG_NAME_MAX + 64];
	int i;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	gmtime_r(&st.st_mtime, &tm);
	strftime(when, sizeof(when), "%Y%m%d%H%M%S", &tm);
	for (i = 1; i < 100; i++) {
		if (i == 1)
			snprintf(other, sizeof(other), "%.*s.%s.log.gz",
				 (int)stem, name, when);
		else
			snprintf(other, sizeof(other), "%.*s.%s-%d.log.gz",
				 (int)stem, name, when, i);
		if (renameat2(dir, name, dir, other, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return errno == ENOENT ? 0 : -1;
	}
	return -1;
}

/* Written beside and renamed, so that a log is there whole or not at all. */
static int
log_save(const char *logdir, const char *name, const struct part *p,
	 struct err *e)
{
	AUTO_CLOSE int dir = open(logdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FREE char *beside = base_printf("%s/.log-XXXXXX", logdir);
	AUTO_CLOSE int fd = dir < 0 ? -1 : mkostemp(beside, O_CLOEXEC);
	int i;

	if (fd < 0)
		return err_sys(e, "%s", logdir);
	if (fchmod(fd, 0640) < 0 || fd_write_all(fd, p->at, p->len, e) < 0) {
		unlink(beside);
		return err_sys(e, "%s/%s", logdir, name);
	}
	for (i = 0; i < 10; i++) {
		if (log_rename(dir, name) == 0 &&
		    renameat2(AT_FDCWD, beside, dir, name, RENAME_NOREPLACE) ==
			    0)
			return 0;
		if (errno != EEXIST) /* else a log of that name came between */
			break;
	}
	err_sys(e, "%s/%s", logdir, name);
	unlink(beside);
	return -1;
}

static void
take_log(struct site *s, const struct part *file, struct reply *out)
{
	const char *name = log_name(file->filename);
	struct err e = { 0 };

	if (!name) {
		reply_error(
			out, 400,
			"exception while saving log file: \"%s\" cannot be the "
			"name of a file; use letters, digits, \"._-\", at most "
			"%d bytes",
			file->filename, LOG_NAME_MAX);
		return;
	}
	if (log_save(site_conf(s)->logdir, name, file, &e) < 0)
		reply_error(out, 500, "exception while saving log file: %s",
			    e.text);
	else
		out->status = 200;
}

/* "Unable to match ...", with the profiles' names taken from the lines of
 * detail ("name: why not"), which follow. */
static void
reply_no_match(struct site *s, struct site_reply *answer, struct reply *out)
{
	AUTO_CLEAR(buf) names = { 0 };
	const char *p = answer->detail ? answer->detail : "";

	for (; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		if (names.len)
			buf_str(&names, ", ");
		buf_add(&names, p, strcspn(p, ":\n"));
	}
	reply_error(
		out, 422,
		"Unable to match requirements on the following available roles "
		"in %s/: %s%s%s",
		site_conf(s)->configdir, buf_text(&names),
		answer->detail ? "\n" : "",
		answer->detail ? answer->detail : "");
}

static void
take_facts(struct site *s, const struct facts *facts, const struct request *r,
	   struct reply *out)
{
	struct site_upload ask = { .facts = facts, .peer = r->peer };
	AUTO_CLEAR(site_reply) answer = { 0 };
	struct err e = { 0 };

	hwfile_keep(site_conf(s), facts);
	if (site_upload(s, &ask, &answer, &e) < 0)
		reply_err(out, &e, 409);
	else if (answer.outcome == SITE_NO_MATCH)
		reply_no_match(s, &answer, out);
	else
		upload_reply(&answer, out);
}

static void
take_failure(struct site *s, const struct facts *facts, const char *profile,
	     struct reply *out)
{
	struct err e = { 0 };

	if (site_old_failure(s, facts, profile, &e) < 0)
		reply_err(out, &e, 409);
	else
		out->status = 200;
}

void
old_upload_post(struct app *a, const struct request *r, const char *arg,
		struct reply *out)
{
	AUTO(parts) ps = NULL;
	AUTO(facts) facts = NULL;
	AUTO_FREE char *section = NULL, *failure = NULL;
	const struct part *file;
	struct site *s;
	struct err e = { 0 };

	(void)arg;
	if (parts_parse(&ps, r->type, r->body, r->body_len, &e) < 0) {
		reply_err(out, &e, 400);
		return;
	}
	section = field_text(ps, "section");
	failure = field_text(ps, "failure");
	s = app_site(a, r, *section ? section : NULL, out);
	if (!s)
		return;
	file = parts_find(ps, "file");
	if (!file)
		reply_error(out, 400, "No file passed to the CGI");
	else if (file->filename && str_ends(file->filename, ".log.gz"))
		take_log(s, file, out);
	else if (file->len > FACTS_MAX_BYTES)
		reply_error(out, 413,
			    "the field \"file\": facts larger than "
			    "%d bytes",
			    FACTS_MAX_BYTES);
	else if (facts_from_json(&facts, file->at, file->len, &e) < 0)
		reply_error(out, 400, "'Invalid hardware file: %s'", e.text);
	else if (*failure)
		take_failure(s, facts, failure, out);
	else
		take_facts(s, facts, r, out);
}

void
old_upload_get(struct app *a, const struct request *r, const char *arg,
	       struct reply *out)
{
	(void)a;
	(void)r;
	(void)arg;
	reply_error(out, 400, "No file passed to the CGI");
}
