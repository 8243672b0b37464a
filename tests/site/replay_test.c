/* Machines ask the site as it was and as it shall be, and what is different
 * for them is told: no more, no less. */
#include "lib/file.h"
#include "lib/lock.h"
#include "tests/site/fixture.h"

#define SPECS(size)                                                            \
	"[('disk', '$disk', 'size', 'gt(" size                                 \
	")'),\n ('network', '$eth', 'serial', '$mac')]\n"
#define CMDB(name) "generate({'hostname': '" name "1-9'})\n"

#define HALF "vm.specs:2:1: the text ends inside brackets"
#define GONE "big.configure: missing; a profile needs its script"

struct file {
	const char *name, *text; /* NULL: it is removed */
};

static const struct file was[] = {
	{ "state", "[('big', 2), ('vm', 2)]\n" }, { "big.specs", SPECS("100") },
	{ "big.configure", "log('big')\n" },      { "vm.specs", SPECS("4") },
	{ "vm.configure", "log('vm')\n" },        { "vm.cmdb", CMDB("host") },
};

/* What changes against `was`, and for whom: "MACHINE WAS>BECOMES NAME=OLD>NEW"
 * each, "+PROFILE N" where the script is another, "!FILE" for a problem.
 * Machines have disks of 8, 200, 8 and 2 GB. */
static const struct row {
	const char *name;
	struct file files[3];
	const char *want;
} rows[] = {
	{ "nothing", { { NULL, NULL } }, "" },
	{ "a comment",
	  { { "vm.specs", "# small ones\n" SPECS("4") },
	    { "state", "[('big', 2), # big\n ('vm', 2)]\n" } },
	  "" },
	{ "other names",
	  { { "vm.cmdb", CMDB("web") } },
	  "a vm>vm hostname=host1>web1; c vm>vm hostname=host2>web2; " },
	{ "a variable more, one fewer",
	  { { "vm.cmdb", "generate({'name': 'host1-9'})\n" } },
	  "a vm>vm name=>host1 hostname=host1>; "
	  "c vm>vm name=>host2 hostname=host2>; " },
	{ "fewer units",
	  { { "state", "[('big', 2), ('vm', 1)]\n" } },
	  "c vm>- every profile that fits has all its units taken; raise its "
	  "total in the state file or release a machine; " },
	{ "fewer entries",
	  { { "vm.cmdb", "[{'hostname': 'host1'}]\n" } },
	  "c vm>- No more entry in the CMDB, aborting.; " },
	{ "another order",
	  { { "state", "[('vm', 2), ('big', 2)]\n" } },
	  "b big>vm hostname=>host2; c vm>- every profile that fits has all "
	  "its units taken; raise its total in the state file or release a "
	  "machine; " },
	{ "smaller disks will do",
	  { { "vm.specs", SPECS("1") }, { "state", "[('big',2),('vm',3)]\n" } },
	  "d ->vm hostname=>host3 disk=>vda eth=>eth0 "
	  "mac=>52:54:00:00:00:03; " },
	{ "a profile goes",
	  { { "state", "[('big', 2)]\n" } },
	  "a vm>- no profile fits; c vm>- no profile fits; " },
	{ "a profile that fits nobody comes",
	  { { "state", "[('big', 2), ('vm', 2), ('huge', 1)]\n" },
	    { "huge.specs", SPECS("9000") },
	    { "huge.configure", "log('huge')\n" } },
	  "" },
	{ "another script",
	  { { "vm.configure", "log('changed')\n" } },
	  "+vm 2; " },
	{ "a script that nobody runs",
	  { { "state", "[('big', 2), ('vm', 2), ('huge', 1)]\n" },
	    { "huge.specs", SPECS("9000") },
	    { "huge.configure", "log('other')\n" } },
	  "" },
	{ "a file is wrong",
	  { { "vm.specs", "[('disk',\n" } },
	  "a vm>- profile vm: " HALF "; c vm>- profile vm: " HALF
	  "; d ->- profile vm: " HALF "; !vm.specs; " },
	{ "a script is missing, of the first profile",
	  { { "big.configure", NULL } },
	  "a vm>- profile big: " GONE "; b big>- profile big: " GONE
	  "; c vm>- profile big: " GONE "; d ->- profile big: " GONE
	  "; !big.configure; " },
};

static const struct {
	const char *name;
	unsigned disk_gb;
} machines[] = { { "a", 8 }, { "b", 200 }, { "c", 8 }, { "d", 2 } };

static void
put_files(struct folder *f, const struct file *files, size_t len)
{
	for (size_t i = 0; i < len && files[i].name; i++)
		folder_put(f, files[i].name, files[i].text);
}

static const char *
profile_in(const struct value *row, const char *when)
{
	const char *profile = value_get_str(value_get(row, when), "profile");

	return profile ? profile : "-";
}

static void
show_row(const struct value *row, struct buf *out)
{
	const struct value *list = value_get(row, "changes");
	const char *why = value_get_str(value_get(row, "becomes"), "reason");

	buf_printf(out, "%s %s>%s", value_get_str(row, "machine"),
		   profile_in(row, "was"), profile_in(row, "becomes"));
	for (size_t i = 0; i < list->list.len; i++) {
		const struct value *c = list->list.at[i];
		const char *old = value_get_str(c, "was");
		const char *new = value_get_str(c, "becomes");

		buf_printf(out, " %s=%s>%s", value_get_str(c, "name"),
			   old ? old : "", new ? new : "");
	}
	buf_printf(out, "%s%s; ", why ? " " : "", why ? why : "");
}

/* Owned. */
static char *
show(const struct value *v)
{
	const struct value *list = value_get(v, "machines");
	AUTO_CLEAR(buf) out = { 0 };

	for (size_t i = 0; i < list->list.len; i++)
		show_row(list->list.at[i], &out);
	list = value_get(v, "scripts");
	for (size_t i = 0; i < list->list.len; i++)
		buf_printf(
			&out, "+%s %d; ",
			value_get_str(list->list.at[i], "profile"),
			(int)value_get_int(list->list.at[i], "machines", -1));
	list = value_get(v, "problems");
	for (size_t i = 0; i < list->list.len; i++)
		buf_printf(&out, "!%s; ",
			   value_get_str(list->list.at[i], "file"));
	return base_strdup(buf_text(&out));
}

static char *tmp_dir;

static bool
tmp_is_empty(void)
{
	char **names = dir_names(tmp_dir);
	bool empty = names && !names[0];

	names_free(names);
	return empty;
}

static void
make_askers(struct site_asker at[ARRAY_LEN(machines)])
{
	for (unsigned i = 0; i < ARRAY_LEN(machines); i++)
		at[i] = (struct site_asker){
			machines[i].name, machine_facts(i, machines[i].disk_gb)
		};
}

static void
drop_askers(struct site_asker at[ARRAY_LEN(machines)])
{
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		facts_free((struct facts *)(uintptr_t)at[i].facts);
}

static void
check_files(size_t i)
{
	struct site_asker askers[ARRAY_LEN(machines)];
	AUTO(value) v = NULL;
	AUTO_FREE char *got = NULL, *before = NULL, *after = NULL;
	struct folder old, new;
	struct err e = { 0 };

	folder_make(&old);
	folder_make(&new);
	put_files(&old, was, ARRAY_LEN(was));
	put_files(&new, was, ARRAY_LEN(was));
	put_files(&new, rows[i].files, ARRAY_LEN(rows[i].files));
	make_askers(askers);
	before = folder_get(&new, "vm.cmdb");
	if (site_replay_files(old.conf, new.conf, askers, ARRAY_LEN(askers),
			      NULL, &v, &e) < 0)
		got = base_strdup(e.text);
	else
		got = show(v);
	CHECK_SHOW(i, str_eq(got, rows[i].want), "%s: %s", rows[i].name, got);
	after = folder_get(&new, "vm.cmdb");
	CHECK(i, str_eq(before, after));
	CHECK(i, tmp_is_empty());
	drop_askers(askers);
	folder_remove(&old);
	folder_remove(&new);
}

static bool
until_second(void *ctx, size_t done, size_t total)
{
	*(size_t *)ctx = total;
	return done < 1;
}

static bool
edit_meanwhile(void *ctx, size_t done, size_t total)
{
	(void)total;
	if (done == 1) {
		folder_put(ctx, "state", "[('big', 2)]\n");
		let_quiet();
	}
	return true;
}

/* The files are those of one moment. */
static void
check_moment(void)
{
	struct site_asker askers[ARRAY_LEN(machines)];
	AUTO(value) v = NULL;
	AUTO_FREE char *got = NULL;
	struct folder old, new;
	const struct site_watch watch = { edit_meanwhile, &new };
	struct err e = { 0 };

	folder_make(&old);
	folder_make(&new);
	put_files(&old, was, ARRAY_LEN(was));
	put_files(&new, was, ARRAY_LEN(was));
	make_askers(askers);
	CHECK(0, site_replay_files(old.conf, new.conf, askers, 4, &watch, &v,
				   &e) == 0);
	got = show(v);
	CHECK_SHOW(1, str_eq(got, ""), "%s", got);
	drop_askers(askers);
	folder_remove(&old);
	folder_remove(&new);
}

/* What is no site, and what is stopped, leaves nothing behind. */
static void
check_failures(void)
{
	struct site_asker askers[ARRAY_LEN(machines)];
	size_t total = 0;
	const struct site_watch watch = { until_second, &total };
	struct value *v = NULL;
	struct folder old, new;
	struct err e = { 0 };

	folder_make(&old);
	folder_make(&new);
	put_files(&old, was, ARRAY_LEN(was));
	make_askers(askers);
	CHECK(0, site_replay_files(old.conf, new.conf, askers, 1, NULL, &v,
				   &e) < 0);
	CHECK(1, strstr(e.text, "state: missing") && tmp_is_empty());
	CHECK(2, site_replay_files(new.conf, old.conf, askers, 1, NULL, &v,
				   &e) < 0);
	CHECK(3, site_replay_files(old.conf, old.conf, askers, 4, &watch, &v,
				   &e) < 0);
	CHECK(4, total == 4 && str_eq(e.text, "stopped") && tmp_is_empty());
	drop_askers(askers);
	folder_remove(&old);
	folder_remove(&new);
}

/* ---- of a site in use ---- */

/* Edits of the files as the server has them now. m1 is installed as vm, m2
 * assigned as big, m3 was released, m4 fits nothing. */
static const struct live_row {
	const char *name, *file, *from, *to;
	const char *want;
} live_rows[] = {
	{ "nothing", NULL, NULL, NULL, "" },
	{ "the entry, by its mark", "vm.cmdb", "host1", "web1",
	  "m1 vm>vm hostname=host1>web1; " },
	{ "an entry of nobody", "vm.cmdb", "host2", "web2", "" },
	{ "its entry is deleted: it stays, and is told", "vm.cmdb", NULL,
	  "[]\n", "!vm.cmdb; " },
	{ "the marks are lost", "vm.cmdb", NULL, CMDB("web"), "!vm.cmdb; " },
	{ "no unit left: live ones stay", "state", "('vm', 2)", "('vm', 0)",
	  "" },
	{ "its profile goes", "state", ", ('vm', 2)", "",
	  "m1 vm>- profile vm: no longer in the state file; put it back or "
	  "release this machine; " },
	{ "it does not fit any more", "vm.specs", "gt(4)", "gt(9)",
	  "m1 vm>- profile vm: no longer fits this machine; release it to "
	  "choose anew; " },
	{ "one that waits fits", "vm.specs", "gt(4)", "gt(1)",
	  "m4 ->vm hostname=>host2 disk=>vda eth=>eth0 "
	  "mac=>52:54:00:00:00:03; " },
	{ "another script", "vm.configure", "vm", "VM", "+vm 1; " },
	{ "the last good text stays in force", "vm.specs", "gt(4)", "gt(",
	  "!vm.specs; " },
	{ "nothing, after all that", NULL, NULL, NULL, "" },
};

/* `text` with the first `from` made `to`; from NULL: all of it. Owned. */
static char *
edited(const char *text, const struct live_row *r)
{
	const char *hit = r->from ? strstr(text, r->from) : text;

	if (!hit)
		return base_strdup(text);
	if (!r->from)
		return base_strdup(r->to);
	return base_printf("%.*s%s%s", (int)(hit - text), text, r->to,
			   hit + strlen(r->from));
}

static char *
machines_json(struct site *s)
{
	AUTO(value) list = NULL;
	AUTO_CLEAR(buf) out = { 0 };
	struct err e = { 0 };

	if (site_machines(s, &list, &e) < 0)
		return NULL;
	value_json(list, 0, &out);
	return buf_take(&out);
}

static void
check_live_row(struct site *s, struct folder *f, size_t i)
{
	const struct live_row *r = &live_rows[i];
	AUTO(value) files = NULL;
	AUTO(value) v = NULL;
	AUTO_FREE char *got = NULL, *before = machines_json(s), *after = NULL;
	AUTO_FREE char *cmdb = folder_get(f, "vm.cmdb"), *cmdb_after = NULL;
	AUTO_FREE char *dir = base_printf("%s/replay", f->conf->storedir);
	struct err e = { 0 };

	CHECK(i, site_texts(f->dir, &files, &e) == 0);
	if (r->file) {
		AUTO_FREE char *text = edited(value_get_str(files, r->file), r);

		value_set_str(files, r->file, text);
	}
	if (site_replay(s, files, NULL, &v, &e) < 0)
		got = base_strdup(e.text);
	else
		got = show(v);
	CHECK_SHOW(i, str_eq(got, r->want), "%s: %s", r->name, got);
	CHECK(i, value_get_int(v, "asked", 0) == 3 &&
			 value_get_int(v, "left_out", 0) == 1);
	after = machines_json(s);
	cmdb_after = folder_get(f, "vm.cmdb");
	CHECK(i, str_eq(before, after) && str_eq(cmdb, cmdb_after) &&
			 !file_exists(dir));
}

/* What is refused leaves nothing behind; what a server that died left is in
 * nobody's way. */
static void
check_live_failures(struct site *s, struct folder *f)
{
	static const struct {
		const char *name, *text, *want;
	} bad[] = { { "../state", "[]", "is no file of a site" },
		    { ".specs", "[]", "is no file of a site" },
		    { "a/b.specs", "[]", "is no file of a site" },
		    { "conf", "", "is no file of a site" },
		    { "state", NULL, "has no text" } };
	AUTO_FREE char *dir = base_printf("%s/replay", f->conf->storedir);
	AUTO_FREE char *left = base_printf("%s/store/edeploy.db", dir);
	AUTO_FREE char *lock = base_printf("%s.lock", dir);
	struct lock held = LOCK_NONE;
	AUTO(value) files = NULL;
	struct value *v = NULL;
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO(value) dict = value_dict();

		value_set_str(dict, bad[i].name, bad[i].text);
		CHECK(i, site_replay(s, dict, NULL, &v, &e) < 0 &&
				 e.kind == ERR_INPUT);
		CHECK_SHOW(i, strstr(e.text, bad[i].want), "%s", e.text);
		CHECK(i, !file_exists(dir));
	}
	CHECK(5, site_replay(s, NULL, NULL, &v, &e) < 0 &&
			 strstr(e.text, "the body must be"));
	CHECK(6, site_texts(f->dir, &files, &e) == 0);
	CHECK(7, lock_take(&held, lock, 0, &e) == 0);
	CHECK(8, site_replay(s, files, NULL, &v, &e) < 0 &&
			 e.kind == ERR_REFUSED &&
			 strstr(e.text, "another replay"));
	lock_clear(&held);
	CHECK(9, file_write(left, "not a store", 11, 0600, &e) == 0);
	CHECK(10, site_replay(s, files, NULL, &v, &e) == 0);
	value_free(v);
	CHECK(11, !file_exists(dir));
}

static void
install(struct site *s, const struct site_reply *r)
{
	AUTO(value) events = value_list();
	struct value *done = value_dict();
	struct err e = { 0 };
	int64_t next;

	value_set_int(done, "n", 1);
	value_set_int(done, "at", 1);
	value_set_str(done, "kind", "done");
	value_set_str(done, "action", "reboot");
	value_push(events, done);
	CHECK(0, site_events(s, r->run, r->token, events, &next, &e) == 0);
}

static void
check_live(void)
{
	struct site_asker askers[ARRAY_LEN(machines)];
	struct site *s = NULL;
	struct folder f;
	struct err e = { 0 };

	folder_make(&f);
	put_files(&f, was, ARRAY_LEN(was));
	CHECK(0, site_open(&s, f.conf, &e) == 0);
	make_askers(askers);
	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		struct site_upload u = { .facts = askers[i].facts,
					 .peer = "192.0.2.1" };
		struct site_reply r = { 0 };

		CHECK(i, site_upload(s, &u, &r, &e) == 0);
		if (i == 0)
			install(s, &r);
		site_reply_clear(&r);
	}
	drop_askers(askers);
	CHECK(1, site_release(s, "m3", &e) == 0);
	/* the scribe has written the claims, and that of m3 is none any more */
	for (int i = 0; i < 300; i++) {
		AUTO_FREE char *text = folder_get(&f, "vm.cmdb");

		if (strstr(text, "# 1@1") && strstr(text, "# 2@2"))
			break;
		usleep(100 * 1000);
	}
	for (size_t i = 0; i < ARRAY_LEN(live_rows); i++)
		check_live_row(s, &f, i);
	check_live_failures(s, &f);
	site_free(s);
	folder_remove(&f);
}

int
main(void)
{
	struct folder own;

	folder_make(&own);
	tmp_dir = own.dir;
	setenv("TMPDIR", own.dir, 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_files(i);
	check_moment();
	check_failures();
	check_live();
	folder_remove(&own);
	return test_end();
}
