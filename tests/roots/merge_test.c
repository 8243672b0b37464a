/* The merge of /etc as a plan: three sides of a path, each written as a letter
 * for its content ("-" nothing, "d" a folder, "l" a link) and one for its
 * looks, and what comes out. */
#include <stdio.h>

#include "lib/base.h"
#include "lib/buf.h"

#include "roots/classes.h"
#include "roots/merge.h"

#include "tests/test.h"

struct side {
	const char *path, *what; /* "a1": content a, looks 1 */
};

#define SIDES 6
static const struct {
	const char *name;
	struct side base[SIDES], ours[SIDES], theirs[SIDES];
	const char *want; /* path=content looks flags; ... */
} rows[] = {
	{ "unchanged everywhere",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "a1" } },
	  { { "etc/f", "a1" } },
	  "etc/f=o1" },
	{ "new text",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "a1" } },
	  { { "etc/f", "b1" } },
	  "etc/f=t1" },
	{ "edited",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "b1" } },
	  { { "etc/f", "a1" } },
	  "etc/f=o1 kept" },
	{ "both, alike",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "b1" } },
	  { { "etc/f", "b1" } },
	  "etc/f=o1" },
	{ "both",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "b1" } },
	  { { "etc/f", "c1" } },
	  "etc/f=o1 beside conflict" },
	{ "edited, new owner",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "b1" } },
	  { { "etc/f", "a2" } },
	  "etc/f=o2 kept" },
	{ "the machine's own, brought by the version, too",
	  { { "etc/machine-id", "a1" } },
	  { { "etc/machine-id", "b1" } },
	  { { "etc/machine-id", "c2" } },
	  "etc/machine-id=o1" },
	{ "the machine's own, though it is the old version's",
	  { { "etc/ssh", "d1" }, { "etc/ssh/ssh_host_x_key", "a1" } },
	  { { "etc/ssh", "d1" }, { "etc/ssh/ssh_host_x_key", "a1" } },
	  { { "etc/ssh", "d1" }, { "etc/ssh/ssh_host_x_key", "b1" } },
	  "etc/ssh=o1, etc/ssh/ssh_host_x_key=o1" },
	{ "the machine's own, taken away by the version",
	  { { "etc/hostname", "a1" } },
	  { { "etc/hostname", "a1" } },
	  { { NULL, NULL } },
	  "etc/hostname=o1" },
	{ "the machine's own is not there yet",
	  { { NULL, NULL } },
	  { { NULL, NULL } },
	  { { "etc/adjtime", "a1" } },
	  "etc/adjtime=t1" },
	{ "chmod here, new text",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "a2" } },
	  { { "etc/f", "b1" } },
	  "etc/f=t2" },
	{ "chmod on both sides",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "a2" } },
	  { { "etc/f", "a3" } },
	  "etc/f=o2 looks" },
	{ "made here",
	  { { NULL, NULL } },
	  { { "etc/f", "a1" } },
	  { { NULL, NULL } },
	  "etc/f=o1 kept" },
	{ "brought",
	  { { NULL, NULL } },
	  { { NULL, NULL } },
	  { { "etc/f", "a1" } },
	  "etc/f=t1" },
	{ "made by both",
	  { { NULL, NULL } },
	  { { "etc/f", "a1" } },
	  { { "etc/f", "b2" } },
	  "etc/f=o1 beside conflict" },
	{ "removed here",
	  { { "etc/f", "a1" } },
	  { { NULL, NULL } },
	  { { "etc/f", "a1" } },
	  "etc/f=- kept" },
	{ "removed here, changed",
	  { { "etc/f", "a1" } },
	  { { NULL, NULL } },
	  { { "etc/f", "b1" } },
	  "etc/f=- unwanted" },
	{ "taken away",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "a1" } },
	  { { NULL, NULL } },
	  "" },
	{ "taken away, edited",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "b1" } },
	  { { NULL, NULL } },
	  "etc/f=o1 orphan" },
	{ "removed by both",
	  { { "etc/f", "a1" } },
	  { { NULL, NULL } },
	  { { NULL, NULL } },
	  "" },
	{ "accounts",
	  { { "etc/passwd", "a1" } },
	  { { "etc/passwd", "b1" } },
	  { { "etc/passwd", "c1" } },
	  "etc/passwd=m1 kept" },
	{ "accounts, one side",
	  { { "etc/passwd", "a1" } },
	  { { "etc/passwd", "a1" } },
	  { { "etc/passwd", "c1" } },
	  "etc/passwd=t1" },
	{ "a link turned",
	  { { "etc/l", "l1" } },
	  { { "etc/l", "a1" } },
	  { { "etc/l", "l1" } },
	  "etc/l=o1 kept" },
	{ "folder taken away, file in it edited",
	  { { "etc/d", "d1" }, { "etc/d/f", "a1" }, { "etc/d/g", "a1" } },
	  { { "etc/d", "d1" }, { "etc/d/f", "b1" }, { "etc/d/g", "a1" } },
	  { { NULL, NULL } },
	  "etc/d=o1 orphan, etc/d/f=o1 orphan" },
	{ "folder made a link, file of ours in it",
	  { { "etc/d", "d1" } },
	  { { "etc/d", "d1" }, { "etc/d/f", "a1" } },
	  { { "etc/d", "l1" } },
	  "etc/d=o1 beside conflict, etc/d/f=o1 kept" },
	{ "folder removed here, file brought into it",
	  { { "etc/d", "d1" } },
	  { { NULL, NULL } },
	  { { "etc/d", "d1" }, { "etc/d/f", "a1" } },
	  "etc/d=- kept, etc/d/f=- unwanted" },
	{ "a file edited here, of which the version makes folders",
	  { { "etc/d", "a1" } },
	  { { "etc/d", "b1" } },
	  { { "etc/d", "d1" }, { "etc/d/e", "d1" }, { "etc/d/e/f", "a1" } },
	  "etc/d=o1 conflict, etc/d/e=- unwanted, etc/d/e/f=- unwanted" },
	{ "nested folders",
	  { { "etc/d", "d1" }, { "etc/d/e", "d1" }, { "etc/d/e/f", "a1" } },
	  { { "etc/d", "d1" }, { "etc/d/e", "d1" }, { "etc/d/e/f", "b1" } },
	  { { NULL, NULL } },
	  "etc/d=o1 orphan, etc/d/e=o1 orphan, etc/d/e/f=o1 orphan" },
	{ "what was put beside by an earlier one",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "b1" }, { "etc/f.edeploy-new", "x1" } },
	  { { "etc/f", "c1" } },
	  "etc/f=o1 beside conflict" },
	{ "and by none since",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "b1" }, { "etc/f.edeploy-new", "x1" } },
	  { { "etc/f", "a1" } },
	  "etc/f=o1 kept, etc/f.edeploy-new=o1 kept" },
	{ "a link of that name",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "b1" }, { "etc/f.edeploy-new", "l1" } },
	  { { "etc/f", "c1" } },
	  "etc/f=o1 beside conflict" },
	{ "removed, with what an earlier one put beside",
	  { { "etc/f", "a1" } },
	  { { "etc/f.edeploy-new", "x1" } },
	  { { "etc/f", "c1" } },
	  "etc/f=- unwanted, etc/f.edeploy-new=o1 kept" },
	{ "a folder of that name",
	  { { "etc/f", "a1" } },
	  { { "etc/f", "b1" }, { "etc/f.edeploy-new", "d1" } },
	  { { "etc/f", "c1" } },
	  "etc/f=o1 conflict, etc/f.edeploy-new=o1 kept" },
	{ "a class of its own: the version's",
	  { { "etc/v", "d1" }, { "etc/v/f", "a1" }, { "etc/v/g", "a1" } },
	  { { "etc/v", "d2" }, { "etc/v/f", "b1" }, { "etc/v/own", "a1" } },
	  { { "etc/v", "d1" }, { "etc/v/f", "c1" }, { "etc/v/g", "a1" } },
	  "etc/v=t1, etc/v/f=t1, etc/v/g=t1" },
	{ "and merged again further down",
	  { { "etc/v", "d1" }, { "etc/v/m", "a1" } },
	  { { "etc/v", "d1" }, { "etc/v/m", "b1" } },
	  { { "etc/v", "d1" }, { "etc/v/m", "a1" } },
	  "etc/v=t1, etc/v/m=o1 kept" },
	{ "not below the prefix",
	  { { "usr/f", "a1" } },
	  { { "usr/f", "b1" } },
	  { { "usr/f", "c1" } },
	  "" },
	{ "names that begin alike",
	  { { "etcx", "a1" } },
	  { { "etcx", "b1" } },
	  { { "etcx", "c1" } },
	  "" },
};

static struct manifest *
make(const struct side side[SIDES])
{
	static const char *const always[] = { ".", "etc", "usr" };
	struct manifest *m = manifest_new();
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(always); i++)
		manifest_add(m, &(struct manifest_entry){ .type = 'd',
							  .mode = 0755,
							  .path = always[i] });
	for (i = 0; i < SIDES && side[i].path; i++) {
		struct manifest_entry x = { .path = side[i].path };
		char c = side[i].what[0];

		x.type = strchr("dl", c) ? c : 'f';
		x.mode = x.type == 'l' ? 0777 : 0644;
		x.uid = (uid_t)(side[i].what[1] - '0');
		x.mtime_s =
			(int64_t)((uintptr_t)side % 1000); /* nobody's edit */
		if (x.type == 'l')
			x.link = "/target";
		if (x.type == 'f') {
			x.size = 1;
			digest_of(&c, 1, &x.hash);
		}
		manifest_add(m, &x);
	}
	if (manifest_seal(m, &e) < 0)
		printf("Bail out! %s\n", e.text);
	return m;
}

static void
print_row(const struct merge_row *r, struct buf *out)
{
	static const char from[] = "otm-";
	static const char *const notes[] = { "",       " kept",     " conflict",
					     " looks", " unwanted", " orphan" };

	buf_printf(out, "%s%s=%c", out->len ? ", " : "", r->path,
		   from[r->content]);
	if (r->content != MERGE_NONE)
		buf_printf(out, "%u", r->look.uid);
	buf_printf(out, "%s%s", r->beside ? " beside" : "", notes[r->note]);
}

int
main(void)
{
	AUTO_CLEAR(classes) classes = { 0 };
	struct err e = { 0 };
	size_t i, k;

	classes_default(&classes);
	CHECK(0, classes_parse(&classes,
			       "edeploy-classes 1\nversioned etc/v\n"
			       "merged etc/v/m\n",
			       "test", &e) == 0);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(manifest) base = make(rows[i].base);
		AUTO(manifest) ours = make(rows[i].ours);
		AUTO(manifest) theirs = make(rows[i].theirs);
		AUTO_CLEAR(buf) got = { 0 };
		struct merge_plan p;

		merge_make(&p, base, ours, theirs, "etc", &classes);
		CHECK(i, p.len >= 1 && str_eq(p.row[0].path, "etc"));
		for (k = 1; k < p.len; k++) {
			print_row(&p.row[k], &got);
			CHECK(i, (p.row[k].note == MERGE_PLAIN) ==
					 !merge_note_text(&p.row[k]));
		}
		CHECK_SHOW(i, str_eq(buf_text(&got), rows[i].want), "%s: %s",
			   rows[i].name, buf_text(&got));
		merge_clear(&p);
	}
	return test_end();
}
