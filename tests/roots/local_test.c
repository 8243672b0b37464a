/* What was put into a root beside its tree, and nothing of the tree itself. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/pull.h"
#include "rsyncd/walk.h"

#include "roots/local.h"

#include "tests/test.h"

static char top[] = "/tmp/edeploy-local-XXXXXX";
static char log_dir[] = "var/log/edeploy";
static struct err e;

static void
make(const char *path, const char *text, mode_t mode)
{
	AUTO_FREE char *whole = base_printf("%s/root/%s", top, path);

	if (file_write(whole, text, strlen(text), 0600, &e) < 0 ||
	    chmod(whole, mode) < 0)
		printf("# %s\n", e.text);
}

/* What becomes of the root after its tree was brought. */
static void
change(void)
{
	AUTO_FREE char *link = base_printf("%s/root/etc/link", top);
	AUTO_FREE char *gone = base_printf("%s/root/usr/gone", top);
	AUTO_FREE char *folder = base_printf("%s/root/srv", top);

	make("etc/fstab", "UUID=1 / ext4\n", 0644);
	make("usr/sbin/edeploy", "program", 0755);
	make("new/deep/file", "x", 0600);
	make("var/log/edeploy/log", "left out", 0600);
	CHECK(0, symlink("fstab", link) == 0);
	CHECK(0, unlink(gone) == 0);
	CHECK(0, chmod(folder, 0700) == 0);
}

static bool
is_log(void *ctx, const char *path)
{
	return str_eq(path, ctx);
}

static const struct {
	const char *path;
	char type; /* 0: not told */
} rows[] = {
	{ ".", 'd' },
	{ "etc", 'd' },
	{ "etc/fstab", 'f' },
	{ "etc/link", 'l' },
	{ "etc/passwd", 0 },
	{ "usr", 'd' },
	{ "usr/same", 0 },
	{ "usr/gone", 0 },
	{ "usr/sbin", 'd' },
	{ "usr/sbin/edeploy", 'f' },
	{ "usr/lib", 0 },
	{ "new/deep/file", 'f' },
	{ "srv", 'd' }, /* its mode */
	{ "var/log/edeploy", 0 },
};

static void
check_rows(const struct manifest *local)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct manifest_entry *x =
			manifest_find(local, rows[i].path);

		CHECK_SHOW(10 + i, (x ? x->type : 0) == rows[i].type, "%s",
			   rows[i].path);
	}
}

/* The root is what the list says, until somebody changes one of these. */
static void
check_verify(const char *root, const struct manifest *local)
{
	const struct verify_opts v = { .dir = root, .manifest = local };

	CHECK(40, verify(&v, &e) == 0);
	make("usr/sbin/edeploy", "PROGRAM", 0755);
	CHECK(41, verify(&v, &e) > 0);
}

int
main(void)
{
	AUTO_FREE char *root = NULL;
	AUTO_FREE char *path = NULL;
	AUTO_FREE char *none = NULL;
	AUTO(manifest) tree = NULL;
	AUTO(manifest) local = NULL;
	AUTO(manifest) back = NULL;

	if (!mkdtemp(top))
		return 1;
	root = base_printf("%s/root", top);
	path = base_printf("%s/V.local", top);
	none = base_printf("%s/none", top);
	make("etc/fstab", "", 0644);
	make("etc/passwd", "root\n", 0644);
	make("usr/same", "same", 0644);
	make("usr/gone", "gone", 0644);
	make("usr/lib/x", "x", 0644);
	make("srv/x", "x", 0644);
	CHECK(1, walk(&(struct walk_opts){ .dir = root }, &tree, &e) == 0);
	change();
	CHECK_SHOW(2, local_make(&local, root, tree, is_log, log_dir, &e) == 0,
		   "%s", e.text);
	check_rows(local);
	CHECK(3, local_write(local, path, &e) == 0);
	CHECK_SHOW(4,
		   local_read(&back, path, &e) == 0 &&
			   str_eq(back->root, local->root),
		   "%s", e.text);
	check_verify(root, local);
	manifest_free(STEAL(back));
	CHECK(5, local_read(&back, none, &e) == 0 && !back);
	CHECK(6, file_write(path, "no manifest", 11, 0644, &e) == 0 &&
			 local_read(&back, path, &e) < 0);
	dir_remove(top, &e);
	return test_end();
}
