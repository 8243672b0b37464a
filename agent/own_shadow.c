/* Passwords that the script set. The users are the role's, so they are known
 * only when its tree is there; the hash goes into its /etc/shadow, and nothing
 * else of that file changes. */
#include "lib/base.h"
#include "lib/buf.h"

#include "agent/own.h"

/* The hash for the user of a shadow line, NULL when none was set. `line` is
 * "name:…", `sets` are lines "name:hash". */
static const char *
find_hash(const char *sets, const char *line, size_t *len)
{
	size_t name = strcspn(line, ":\n") + 1;
	const char *hash = NULL;

	for (; *sets; sets += strcspn(sets, "\n") + 1) {
		/* the last one set counts */
		if (line[name - 1] == ':' && strncmp(sets, line, name) == 0)
			hash = sets + name;
		if (!sets[strcspn(sets, "\n")])
			break;
	}
	if (hash)
		*len = strcspn(hash, "\n");
	return hash;
}

static int
check_users(const char *old, const char *sets, struct err *e)
{
	for (; *sets; sets += strcspn(sets, "\n") + 1) {
		size_t name = strcspn(sets, ":\n") + 1;
		const char *at = old;

		while (*at && strncmp(at, sets, name) != 0) {
			at += strcspn(at, "\n");
			at += *at == '\n';
		}
		if (!*at)
			return err_set(e, ERR_INPUT,
				       "password: the role has no user "
				       "\"%.*s\" in its /etc/shadow",
				       (int)(name - 1 < 60 ? name - 1 : 60),
				       sets);
		if (!sets[strcspn(sets, "\n")])
			break;
	}
	return 0;
}

char *
own_shadow(const char *old, const char *sets, struct err *e)
{
	AUTO_CLEAR(buf) out = { 0 };
	const char *line = old;

	if (check_users(old, sets, e) < 0)
		return NULL;
	while (*line) {
		size_t len = strcspn(line, "\n"), hash_len = 0;
		const char *hash = find_hash(sets, line, &hash_len);
		size_t name = strcspn(line, ":\n");
		size_t rest = name;

		if (hash) {
			rest = name + 1 + strcspn(line + name + 1, ":\n");
			buf_add(&out, line, name + 1);
			buf_add(&out, hash, hash_len);
		} else {
			buf_add(&out, line, name);
		}
		buf_add(&out, line + rest, len - rest);
		if (line[len] == '\n')
			buf_char(&out, '\n');
		line += len + (line[len] == '\n');
	}
	return buf_take(&out);
}
