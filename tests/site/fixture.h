#ifndef TESTS_SITE_FIXTURE_H
#define TESTS_SITE_FIXTURE_H

/* A site in a folder of its own, opened as edeployd opens it, and machines
 * that ask it. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/proc.h"
#include "site/core.h"
#include "tests/test.h"

struct folder {
	char dir[32];
	struct confs *confs;
	struct conf *conf;
};

static inline char **
owned(char **slot, char *text)
{
	free(*slot);
	*slot = text;
	return slot;
}

static inline void
folder_make(struct folder *f)
{
	snprintf(f->dir, sizeof(f->dir), "/tmp/edeploy-site-XXXXXX");
	if (!mkdtemp(f->dir))
		abort();
	f->confs = confs_of_site(f->dir);
	f->conf = &f->confs->at[0];
	owned(&f->conf->storedir, base_printf("%s/store", f->dir));
	owned(&f->conf->logdir, base_printf("%s/log", f->dir));
	owned(&f->conf->lockfile, base_printf("%s/lock", f->dir));
}

/* NULL: the file is removed. */
static inline void
folder_put(struct folder *f, const char *name, const char *text)
{
	AUTO_FREE char *path = base_printf("%s/%s", f->dir, name);
	struct err e = { 0 };

	if (!text)
		unlink(path);
	else if (file_replace(path, text, strlen(text), 0644, &e) < 0)
		abort();
}

static inline char *
folder_get(struct folder *f, const char *name)
{
	AUTO_FREE char *path = base_printf("%s/%s", f->dir, name);
	struct err e = { 0 };
	char *text = NULL;

	if (file_read(path, 1 << 24, &text, NULL, &e) < 0)
		return NULL;
	return text;
}

static inline void
folder_remove(struct folder *f)
{
	const char *const rm[] = { "rm", "-r", f->dir, NULL };
	struct err e = { 0 };

	confs_free(f->confs);
	if (proc_ok(rm, NULL, &e) < 0)
		abort();
}

/* Long enough for an edit to count, also on a busy machine. */
static inline void
let_quiet(void)
{
	usleep(1200 * 1000);
}

/* ---- machines ---- */

/* Machine `n`: a disk, a serial and a MAC of its own. */
static inline struct facts *
machine_facts(unsigned n, unsigned disk_gb)
{
	struct facts *f = facts_new();

	facts_addf(f, "disk", "vda", "size", "%u", disk_gb);
	facts_addf(f, "system", "product", "serial", "SER%u", n);
	facts_addf(f, "network", "eth0", "serial", "52:54:00:00:%02x:%02x",
		   n / 256, n % 256);
	return f;
}

/* The id of run `k`. */
static inline void
run_id(char id[TOKEN_HEX], unsigned k)
{
	snprintf(id, TOKEN_HEX, "%032x", k);
}

/* Machine `n` asks in its run `k` (0: an old agent, which has no run). */
static inline int
ask_as(struct site *s, unsigned n, unsigned k, struct site_reply *r,
       struct err *e)
{
	AUTO(facts) f = machine_facts(n, 8);
	struct site_upload u = { .facts = f, .peer = "192.0.2.1" };
	char id[TOKEN_HEX];

	run_id(id, k);
	if (k)
		u.run = id;
	return site_upload(s, &u, r, e);
}

/* A member of what `show` says of it; owned, NULL when it has none. */
static inline char *
shown(struct site *s, unsigned n, const char *member)
{
	AUTO_FREE char *name = base_printf("SER%u", n);
	struct value *v = NULL;
	struct err e = { 0 };
	char *text = NULL;

	if (site_machine(s, name, &v, &e) < 0)
		return NULL;
	if (value_get_str(v, member))
		text = base_strdup(value_get_str(v, member));
	value_free(v);
	return text;
}

static inline bool
shows(struct site *s, unsigned n, const char *member, const char *want)
{
	AUTO_FREE char *text = shown(s, n, member);

	if (!str_eq(text, want))
		printf("# %s is %s\n", member, text ? text : "(none)");
	return str_eq(text, want);
}

#endif
