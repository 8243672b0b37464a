/* A top with a version: everything where GRUB, the initramfs and init look for
 * it. On whatever file system /tmp is; where GRUB could not read that, the
 * refusal says so. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/state.h"
#include "roots/top.h"

#include "tests/test.h"

static char top[] = "/tmp/edeploy-top-XXXXXX";

static void
make(const char *path, const char *text)
{
	AUTO_FREE char *whole = base_printf("%s/%s", top, path);
	struct err e = { 0 };

	if (file_write(whole, text, strlen(text), 0755, &e) < 0)
		printf("# %s\n", e.text);
}

static char *
text_of(const char *path)
{
	AUTO_FREE char *whole = base_printf("%s/%s", top, path);
	struct err e = { 0 };
	char *text = NULL;

	if (file_read(whole, 100000, &text, NULL, &e) < 0)
		return base_strdup(e.text);
	return text;
}

static mode_t
mode_of(const char *path)
{
	AUTO_FREE char *whole = base_printf("%s/%s", top, path);
	struct stat st;

	return stat(whole, &st) < 0 ? 0 : st.st_mode & 07777;
}

static void
test_names(void)
{
	static const struct {
		const char *name;
		bool good;
	} rows[] = { { "D12-F.1.0.0", true }, { "1.new.2", true },
		     { "1.new", false },      { "1.record", false },
		     { "1.grub", false },     { "../x", false } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		CHECK(i, top_version_ok(rows[i].name) == rows[i].good);
}

static void
test_version(void)
{
	const struct top_version v = { "A", "/boot/vmlinuz-1", "/boot/initrd-1",
				       "console=ttyS0 a='b'" };
	const struct top_version bad = { "A", "/k", "/i", "a\nreboot" };
	AUTO_FREE char *root = top_root(top, "A");
	AUTO_FREE char *mounts = NULL;
	AUTO_FREE char *grub = NULL;
	AUTO_FREE char *state = NULL;
	AUTO_FREE char *unit = NULL;
	struct err e = { 0 };

	CHECK(10, top_add(top, &v, &e) < 0); /* no tree yet */
	make("edeploy/roots/A/sbin/init", "#!");
	make("edeploy/roots/A/var/lib/dpkg/status", "A's");
	make("edeploy/roots/A/var/lib/x/y", "first");
	make("edeploy/roots/A/home/.keep", "");
	make("edeploy/roots/A/etc/systemd/system/x", "");
	make("edeploy/roots/A/usr/lib/systemd/system/"
	     "systemd-journal-flush.service",
	     "");
	CHECK_SHOW(11, top_add(top, &v, &e) == 0, "%s", e.text);
	mounts = text_of("edeploy/roots/A.mounts");
	CHECK_SHOW(12,
		   str_eq(mounts, "# edeploy mounts 1\nstate home\nstate var\n"
				  "version var/lib/dpkg\n"),
		   "%s", mounts);
	grub = text_of("edeploy/roots/A.grub");
	CHECK_SHOW(13,
		   str_eq(grub,
			  "set ed_kernel='/edeploy/roots/A/boot/vmlinuz-1'\n"
			  "set ed_initrd='/edeploy/roots/A/boot/initrd-1'\n"
			  "set ed_args='console=ttyS0 a='\\''b'\\'''\n"),
		   "%s", grub);
	state = text_of("edeploy/state/var/lib/x/y");
	CHECK(14, str_eq(state, "first"));
	unit = text_of("edeploy/roots/A/etc/systemd/system/"
		       "systemd-journal-flush.service.d/edeploy.conf");
	CHECK(17, strstr(unit, "Requires=var.mount\n"));
	CHECK(15, str_eq(root + strlen(top), "/edeploy/roots/A"));
	/* what the machine has stays, also when the version has no such folder
	 */
	make("edeploy/state/srv/db/x", "x");
	CHECK_SHOW(18, top_add(top, &v, &e) == 0, "%s", e.text);
	free(mounts);
	mounts = text_of("edeploy/roots/A.mounts");
	CHECK_SHOW(19,
		   str_eq(mounts, "# edeploy mounts 1\nstate home\nstate var\n"
				  "version var/lib/dpkg\nstate srv\n"),
		   "%s", mounts);
	CHECK(16, top_add(top, &bad, &e) < 0 && strstr(e.text, "control"));
}

static void
test_boot(void)
{
	AUTO_FREE char *init = base_printf("%s/program", top);
	AUTO_FREE char *dir = base_printf("%s/edeploy", top);
	const struct top_boot b = { "0a1b-uuid", "ext2", init };
	AUTO_FREE char *cfg = NULL;
	AUTO_FREE char *env = NULL;
	struct state s;
	struct err e = { 0 };
	int bad;

	CHECK(20, top_boot(top, &b, &e) < 0); /* no program */
	make("program", "init");
	CHECK_SHOW(20, top_boot(top, &b, &e) == 0, "%s", e.text);
	CHECK(20, state_read(&s, dir, &e) < 0); /* nothing is named yet */
	bad = top_name(top, "A", &e);
	cfg = text_of("edeploy/grub/grub.cfg");
	env = text_of("edeploy/grub/grubenv");
	CHECK(21,
	      strstr(cfg, "--fs-uuid --set=root 0a1b-uuid\n") &&
		      strstr(cfg, "root=UUID=0a1b-uuid init=/edeploy/init"));
	CHECK(22, strlen(env) == 1024 &&
			  str_starts(env, "# GRUB Environment Block\n#"));
	CHECK(23, mode_of("edeploy/init") == 0755);
	if (bad && e.kind == ERR_REFUSED) {
		CHECK(24, strstr(e.text, "GRUB is not known to read"));
		return;
	}
	CHECK_SHOW(24, !bad, "%s", e.text);
	CHECK_SHOW(25,
		   state_read(&s, dir, &e) == 0 && str_eq(s.good, "A") &&
			   !*s.trial && s.gen == 1,
		   "%s", e.text);
}

int
main(void)
{
	struct err e = { 0 };

	if (!mkdtemp(top))
		return 1;
	CHECK(0, top_make(top, &e) == 0);
	CHECK(1, mode_of("edeploy") == 0700 && mode_of("sys") == 0755);
	CHECK(2, top_make(top, &e) == 0);
	test_names();
	test_version();
	test_boot();
	dir_remove(top, &e);
	return test_end();
}
