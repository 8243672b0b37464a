#ifndef TESTS_SITE_FIXTURE_H
#define TESTS_SITE_FIXTURE_H

/* A site with its store in a folder of its own, and machines that ask it. */
#include <stdio.h>
#include <time.h>

#include "lib/file.h"
#include "lib/json.h"
#include "site/site.h"
#include "tests/test.h"

struct fixture {
	char dir[32];
	struct confs *confs;
	struct site *site;
};

static inline void
fixture_put(const struct fixture *f, const char *name, const char *text)
{
	AUTO_FREE char *path = base_printf("%s/site/%s", f->dir, name);
	struct err e = { 0 };

	CHECK_SHOW(0, file_write(path, text, strlen(text), 0644, &e) == 0, "%s",
		   e.text);
}

static inline void
fixture_start(struct fixture *f)
{
	struct err e = { 0 };

	CHECK_SHOW(0, site_open(&f->site, &f->confs->at[0], &e) == 0, "%s",
		   e.text);
}

/* A profile `vm` that fits disks of more than 4 GB, without CMDB. */
static inline void
fixture_open(struct fixture *f, const char *state)
{
	struct conf *c;

	snprintf(f->dir, sizeof(f->dir), "/tmp/edeploy-site-XXXXXX");
	CHECK(0, mkdtemp(f->dir) != NULL);
	f->confs = base_alloc(sizeof(*f->confs));
	f->confs->len = 1;
	c = f->confs->at = base_alloc(sizeof(*c));
	c->section = base_strdup("SERVER");
	c->configdir = base_printf("%s/site", f->dir);
	c->logdir = base_printf("%s/log", f->dir);
	c->lockfile = base_printf("%s/lock", f->dir);
	c->storedir = base_printf("%s/store", f->dir);
	c->bootdir = base_printf("%s/boot", f->dir);
	c->socket = base_printf("%s/sock", f->dir);
	fixture_put(f, "state", state);
	fixture_put(f, "vm.specs",
		    "[('disk', '$disk', 'size', 'gt(4)'),\n"
		    " ('network', '$eth', 'serial', '$mac')]\n");
	fixture_put(f, "vm.configure", "log('one')\n");
}

static inline void
fixture_close(struct fixture *f)
{
	AUTO_FREE char *clean = base_printf("rm -r %s", f->dir);

	site_free(f->site);
	confs_free(f->confs);
	CHECK(0, system(clean) == 0);
}

/* An edit was made: until the server takes files for quiet. */
static inline void
fixture_quiet(void)
{
	const struct timespec quiet = { .tv_sec = 1,
					.tv_nsec = 200 * 1000 * 1000 };

	nanosleep(&quiet, NULL);
}

/* Run number `run` of machine `n` uploads; clear the reply in any case. */
static inline int
fixture_ask(const struct fixture *f, unsigned run, unsigned n,
	    struct site_reply *r, struct err *e)
{
	AUTO_FREE char *id = base_printf("%032x", run);
	AUTO_FREE char *serial = base_printf("SN%u", n);
	struct site_upload u = { .run = id, .peer = "10.0.0.9" };
	AUTO(facts) facts = facts_new();

	facts_add(facts, "disk", "vda", "size", "8");
	facts_add(facts, "system", "product", "serial", serial);
	facts_addf(facts, "network", "eth0", "serial", "52:54:00:00:%02x:%02x",
		   n >> 8, n & 255);
	u.facts = facts;
	return site_upload(f->site, &u, r, e);
}

#endif
