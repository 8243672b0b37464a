/* What a version changes of what a boot starts, by manifests alone. */
#include "lib/base.h"

#include "host/affected.h"

#include "tests/test.h"

/* A tree: rows "TYPE PATH [LINK or content]", in the manifest's order. */
#define ROWS 12
struct tree {
	const char *row[ROWS];
};

static const struct tree merged = {
	{ "d .", "d boot", "f boot/initrd.img-6 i", "f boot/vmlinuz-6 k",
	  "l sbin usr/sbin", "d usr", "d usr/lib", "f usr/lib/systemd s",
	  "d usr/sbin", "l usr/sbin/init ../lib/systemd" }
};

/* The same with one row (from 0) exchanged or, empty, left out. */
static const struct {
	const char *what;
	int row;
	const char *by;
	bool kernel, start;
} rows[] = {
	{ "nothing", 5, "d usr", false, false },
	{ "another kernel", 3, "f boot/vmlinuz-6 K", true, false },
	{ "a newer kernel's name", 3, "f boot/vmlinuz-7 k", true, false },
	{ "no kernel", 3, "", true, false },
	{ "another initrd", 2, "f boot/initrd.img-6 I", false, true },
	{ "an initrd of another name", 2, "f boot/initramfs-6 i", false, true },
	{ "no initrd", 2, "", false, true },
	{ "another init", 7, "f usr/lib/systemd S", false, true },
	{ "init that is gone", 7, "", false, true },
	{ "an absolute link", 9, "l usr/sbin/init /usr/lib/systemd", false,
	  false },
	{ "a link that leads above the top", 9,
	  "l usr/sbin/init ../../../usr/lib/systemd", false, false },
	{ "a link to itself", 9, "l usr/sbin/init init", false, true },
	{ "a link to a folder", 9, "l usr/sbin/init ../lib", false, true },
	{ "a hard link", 9, "h usr/sbin/init usr/lib/systemd", false, false },
};

static void
add(struct manifest *m, const char *row)
{
	AUTO_FREE char *text = base_strdup(row);
	char *rest = text + 2;
	const char *path = strsep(&rest, " ");
	struct manifest_entry x = { .type = *row,
				    .mode = *row == 'l'   ? 0777
					    : *row == 'h' ? 0
							  : 0755,
				    .path = path };

	if (x.type == 'f') {
		x.size = 1;
		digest_of(rest, 1, &x.hash);
	} else if (rest) {
		x.link = rest;
	}
	manifest_add(m, &x);
}

static struct manifest *
make(const struct tree *t, int row, const char *by)
{
	struct manifest *m = manifest_new();
	struct err e = { 0 };
	int i;

	for (i = 0; i < ROWS && t->row[i]; i++) {
		const char *text = i == row ? by : t->row[i];

		if (*text)
			add(m, text);
	}
	if (manifest_seal(m, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		exit(1);
	}
	return m;
}

int
main(void)
{
	AUTO(manifest) was = make(&merged, -1, "");
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(manifest) will = make(&merged, rows[i].row, rows[i].by);

		CHECK_SHOW(i,
			   affected_kernel(was, will) == rows[i].kernel &&
				   affected_kernel(will, was) == rows[i].kernel,
			   "%s: a kernel", rows[i].what);
		CHECK_SHOW(i,
			   affected_start(was, will) == rows[i].start &&
				   affected_start(will, was) == rows[i].start,
			   "%s: a start", rows[i].what);
	}
	return test_end();
}
