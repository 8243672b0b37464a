/* From one plain root to versions beside one another. */
#include <stdio.h>

#include "lib/file.h"
#include "lib/lock.h"

#include "rsyncd/pull.h"

#include "roots/local.h"

#include "host/call.h"
#include "host/cmds.h"
#include "host/convert.h"
#include "host/history.h"
#include "host/own.h"
#include "host/prove.h"

#define TRUST "/var/lib/edeploy/trees.pub"
#define RECORD "/var/lib/edeploy/tree/seal"
#define SELF "/usr/sbin/edeploy"
#define SELF_MAX (64 * 1024 * 1024)

/* ---- what every upgrade puts into a root ---- */

/* A host of the first eDeploy has another program of this name. Replaced by a
 * rename: the old root keeps its own. */
static int
put_self(const char *root, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s" SELF, root);
	AUTO_FREE char *bytes = NULL;
	size_t len;

	if (file_read("/proc/self/exe", SELF_MAX, &bytes, &len, e) < 0)
		return -1;
	return file_replace(path, bytes, len, 0755, e);
}

static int
complete(void *ctx, const char *root, struct err *e)
{
	(void)ctx;
	return put_self(root, e) < 0 ? -1 : prove_install(root, e);
}

/* ---- what it was published as ---- */

static int
pull_record(const struct host *h, const char *folder, struct err *e)
{
	struct sign_trust trust;
	struct pull_result r;
	const struct pull_opts o = { .source = { .where = h->conf.tree },
				     .trust = &trust,
				     .role = h->conf.role,
				     .version = h->conf.version,
				     .into = folder,
				     .record = folder,
				     .record_only = true };

	if (sign_trust_read(&trust, TRUST, e) < 0 || pull(&o, &r, e) < 0)
		return err_add(e, "the record of %s %s", h->conf.role,
			       h->conf.version);
	return 0;
}

struct noting {
	struct manifest *tree;
	struct classes classes;
};

static bool
is_own(void *ctx, const char *path)
{
	const struct noting *n = ctx;

	return own_is(n->tree, &n->classes, path);
}

static int
make_local(struct manifest **out, const char *root, struct manifest *tree,
	   struct err *e)
{
	struct noting n = { .tree = tree };
	int bad = classes_of_root(&n.classes, root, e);

	if (bad == 0)
		bad = local_make(out, root, tree, is_own, &n, e);
	classes_clear(&n.classes);
	return bad;
}

static int
note_local(void *ctx, const char *root, struct manifest *tree, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s.local", root);
	AUTO(manifest) local = NULL;

	(void)ctx;
	if (make_local(&local, root, tree, e) < 0)
		return -1;
	return local_write(local, path, e);
}

static int
record(void *ctx, const char *folder, struct manifest **tree, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/seal", folder);
	AUTO(seal) seal = NULL;
	struct sign_trust trust;

	if (!file_exists(path) && pull_record(ctx, folder, e) < 0)
		return -1;
	if (sign_trust_read(&trust, TRUST, e) < 0 ||
	    record_read(folder, &trust, &seal, tree, e) < 0)
		return -1;
	return *tree ? 0 : err_set(e, ERR_SYS, "%s has no record", folder);
}

/* Without it no upgrade could tell an edit from a new version: better known
 * before than after. */
static int
check_record(const struct host *h, struct err *e)
{
	if (!file_exists(TRUST))
		return err_set(e, ERR_REFUSED,
			       "%s is not there: put the public key of your "
			       "trees there, with which versions are signed",
			       TRUST);
	if (file_exists(RECORD) || h->conf.tree)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "nobody has written down what this host was installed "
		       "from: publish %s %s (edeployctl publish), and add "
		       "TREE=http://SERVER/trees to %s",
		       h->conf.role, h->conf.version, CONF_PATH);
}

/* ---- the command ---- */

static void
print_done(const struct call *c, const struct convert *x)
{
	const char *version = c->host.conf.version;
	struct value *v;

	if (c->host.json) {
		v = value_dict();
		value_set_str(v, "version", version);
		value_set(v, "live", value_bool(x->live));
		value_set_str(v, "why_not", x->why_not ? x->why_not : "");
		call_print(v);
		return;
	}
	printf("This host holds versions now: what ran is "
	       "/edeploy/roots/%s.\n",
	       version);
	if (x->live)
		printf("The running system stands in it already.\n");
	else
		printf("%s%sThe running system is the old root still: what is "
		       "edited below /etc and\ninstalled before the next boot "
		       "is lost. Reboot soon.\n",
		       x->why_not, *x->why_not ? ".\n" : "");
	printf("The next boot tries it; what fails comes back to the old root, "
	       "which stays\nas it is.\n");
}

static int
run(struct call *c, struct convert *x, struct err *e)
{
	AUTO_CLEAR(lock) lock = LOCK_NONE;

	if (conf_read(&c->host.conf, c->host.root, e) < 0 ||
	    check_record(&c->host, e) < 0)
		return -1;
	if (lock_take(&lock, "/run/edeploy/upgrade.lock", 0, e) < 0)
		return e->kind == ERR_REFUSED
			       ? err_add(e, "another upgrade is running")
			       : -1;
	if (convert(&c->host, x, e) < 0)
		return -1;
	history_carry(HISTORY_PLAIN, "/edeploy/history");
	history_add("/edeploy/history", "convert", c->host.conf.version,
		    c->host.conf.version, x->live ? "entered live" : "");
	print_done(c, x);
	return 0;
}

int
cmd_convert(int argc, char **argv)
{
	static const struct call_takes takes = { "convert [--at-boot]", 0, 0,
						 "--at-boot" };
	struct convert x = { .sys = "/sys",
			     .record = record,
			     .local = note_local,
			     .complete = complete };
	struct err e = { 0 };
	struct call c;
	int bad;

	if (!call_parse(&c, argc, argv, &takes))
		return CMD_USAGE;
	x.at_boot = c.at_boot;
	x.ctx = &c.host;
	bad = run(&c, &x, &e);
	free(x.why_not);
	call_clear(&c);
	return bad ? call_fail(&e) : CMD_DONE;
}
