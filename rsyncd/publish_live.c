/* A version is live when its HEAD names a signed seal: the one small file that
 * is ever replaced, after all that it leads to is on the disk. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/clock.h"
#include "lib/file.h"

#include "rsyncd/publish_parts.h"

static int
put(const char *dir, const char *name, const char *text, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/%s", dir, name);

	return file_replace(path, text, strlen(text), 0644, e);
}

static int
put_head(const struct seal *s, const char *dir, const struct sign_key *key,
	 struct err *e)
{
	AUTO_FREE char *text = NULL;
	struct head h;

	head_of(&h, s);
	text = head_sign(&h, key);
	return put(dir, "HEAD", text, e);
}

/* A body that is there already, now with its signature. */
static int
sign_body(struct seal *s, const char *dir, const struct sign_key *key,
	  struct err *e)
{
	AUTO_FREE char *body = seal_text(s);
	AUTO_FREE char *text = seal_sign(body, key);
	AUTO_FREE char *name = base_printf("seal-%s", s->hash);

	if (strlen(text) > SEAL_TEXT_MAX)
		return err_set(e, ERR_REFUSED,
			       "the seal would be larger than %d bytes: fewer "
			       "deltas",
			       SEAL_TEXT_MAX);
	return put(dir, name, text, e) < 0 || put_head(s, dir, key, e) < 0 ? -1
									   : 0;
}

static void
set_date(struct seal *s)
{
	char text[24];

	clock_text(clock_wall_ms(), text);
	snprintf(s->date, sizeof(s->date), "%.20s", text);
}

int
live_write(struct seal *s, const char *dir, const struct sign_key *key,
	   struct err *e)
{
	AUTO_FREE char *body = NULL;
	AUTO_FREE char *name = NULL;

	set_date(s);
	if (key)
		return sign_body(s, dir, key, e);
	body = seal_text(s);
	name = base_printf("seal-%s.unsigned", s->hash);
	return put(dir, name, body, e);
}

int
live_role(const char *role_dir, const struct seal *s,
	  const struct sign_key *key, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/HEAD", role_dir);
	AUTO_FREE char *text = NULL;
	struct head now = { 0 };
	char id[SIGN_ID];
	size_t len;

	if (file_exists(path) &&
	    (file_read(path, HEAD_TEXT_MAX, &text, &len, e) < 0 ||
	     head_peek(&now, text, len, id, path, e) < 0))
		return -1;
	if (now.serial > s->serial ||
	    (str_eq(now.seal, s->hash) && str_eq(id, key->id)))
		return 0;
	return put_head(s, role_dir, key, e);
}

/* ---- sealing later ---- */

static int
make_live(struct seal *s, bool anew, const char *dir,
	  const struct sign_key *key, struct err *e)
{
	AUTO_FREE char *unsigned_path =
		base_printf("%s/seal-%s.unsigned", dir, s->hash);

	if (anew)
		return live_write(s, dir, key, e);
	if (sign_body(s, dir, key, e) < 0)
		return -1;
	if (unlink(unsigned_path) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", unsigned_path);
	return 0;
}

int
live_version(const struct publishing *p, struct shelf_version *v,
	     struct seal **out, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/%s", p->role_dir, v->name);
	const struct sign_key *key = p->o->key;
	bool waits = v->waiting != NULL;
	bool anew = !waits && !str_eq(v->key, key->id);
	AUTO(seal) s = waits ? STEAL(v->waiting) : STEAL(v->live);

	if (anew)
		s->revision++;
	if ((waits || anew) && make_live(s, anew, dir, key, e) < 0)
		return -1;
	if (live_role(p->role_dir, s, key, e) < 0)
		return -1;
	*out = STEAL(s);
	return 0;
}

int
publish_seal(const char *top, const char *role, const char *version,
	     const struct sign_key *key, struct seal **out, struct err *e)
{
	const struct publish_opts opts = {
		.top = top, .role = role, .version = version, .key = key
	};
	struct publish_result ignored;
	struct publishing p;
	struct shelf_version *v;
	int failed = -1;

	if (publish_begin(&p, &opts, &ignored, e) < 0)
		goto end;
	v = shelf_find(p.shelf, version);
	if (!v)
		err_set(e, ERR_REFUSED, "%s %s is not published below %s", role,
			version, p.shelf->trees);
	else if (v->broken)
		err_set(e, ERR_REFUSED, "%s", v->broken);
	else
		failed = live_version(&p, v, out, e);
end:
	publish_end(&p);
	return failed;
}
