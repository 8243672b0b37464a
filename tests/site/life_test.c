/* Machines, runs and units over time, where the wire is no part of it. */
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "lib/clock.h"
#include "lib/json.h"
#include "site/core.h"
#include "tests/site/fixture.h"

static struct folder folder;
static struct site *site;

static void
open_site(void)
{
	struct err e = { 0 };

	CHECK_SHOW(0, site_open(&site, folder.conf, &e) == 0, "%s", e.text);
}

/* A profile `vm` that fits disks of more than 4 GB, without CMDB. */
static void
open_folder(const char *state)
{
	folder_make(&folder);
	folder_put(&folder, "state", state);
	folder_put(&folder, "vm.specs",
		   "[('disk', '$disk', 'size', 'gt(4)'),\n"
		   " ('network', '$eth', 'serial', '$mac')]\n");
	folder_put(&folder, "vm.configure", "log('one')\n");
}

static void
close_site(void)
{
	site_free(STEAL(site));
	folder_remove(&folder);
}

static void
test_feed(void)
{
	static const struct {
		int wait_ms, least_ms, most_ms;
	} rows[] = { { 0, 0, 9000 }, { 400, 380, 9000 }, { 1100, 1080, 9000 } };

	open_folder("[('vm', '*')]\n");
	open_site();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		__attribute__((cleanup(value_freep))) struct value *v = NULL;
		int64_t start = clock_boot_ms(), took;
		struct err e = { 0 };

		CHECK(i, site_feed(site, 1000, rows[i].wait_ms, &v, &e) == 0);
		took = clock_boot_ms() - start;
		CHECK_SHOW(i, took >= rows[i].least_ms, "%lld ms",
			   (long long)took);
		CHECK_SHOW(i, took <= rows[i].most_ms, "%lld ms",
			   (long long)took);
	}
	close_site();
}

static int
tell(unsigned run, const char *token, const char *json, int64_t *next,
     struct err *e)
{
	AUTO_FREE char *id = base_printf("%032x", run);
	__attribute__((cleanup(value_freep))) struct value *events = NULL;

	if (json_parse(&events, json, strlen(json), e) < 0)
		return -1;
	return site_events(site, id, token, events, next, e);
}

/* What run 1 is told when it asks again after it ended: its entry may be
 * another machine's by then. */
static void
test_ended(void)
{
	static const char *const ends[] = { "done", "failed", "replaced",
					    "released" };
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		AUTO_FREE char *last =
			base_printf("[{\"n\": 1, \"kind\": \"%s\"}]", ends[i]);
		AUTO_CLEAR(site_reply) first = { 0 }, again = { 0 };
		AUTO_CLEAR(site_reply) late = { 0 };
		int64_t next;

		open_folder("[('vm', '*')]\n");
		open_site();
		CHECK(i, ask_as(site, 1, 1, &first, &e) == 0 &&
				 first.outcome == SITE_ASSIGNED);
		CHECK(i, ask_as(site, 1, 1, &again, &e) == 0 &&
				 str_eq(first.script.at, again.script.at));
		if (i < 2)
			CHECK(i, tell(1, first.token, last, &next, &e) == 0);
		else if (i == 2)
			CHECK(i, ask_as(site, 1, 2, &late, &e) == 0);
		else
			CHECK(i, site_release(site, "SER1", &e) == 0);
		site_reply_clear(&late);
		e = (struct err){ 0 };
		CHECK_SHOW(i,
			   ask_as(site, 1, 1, &late, &e) < 0 &&
				   e.kind == ERR_REFUSED,
			   "%s: %s", ends[i], buf_text(&late.script));
		close_site();
	}
}

/* A machine that has a unit and must wait (a file is broken for a while) has
 * it still. */
static void
test_unit_kept(void)
{
	static const struct {
		unsigned run, machine;
		bool broken;
		enum site_outcome want;
	} rows[] = {
		{ 1, 1, false, SITE_ASSIGNED }, { 2, 1, true, SITE_WAITS },
		{ 3, 2, false, SITE_WAITS },    { 4, 1, false, SITE_ASSIGNED },
		{ 5, 2, false, SITE_WAITS },
	};
	bool broken = false;

	open_folder("[('vm', 1)]\n");
	open_site();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_CLEAR(site_reply) r = { 0 };
		struct err e = { 0 };

		if (rows[i].broken != broken) {
			broken = rows[i].broken;
			folder_put(&folder, "state",
				   broken ? "[('hp', 1)]\n" : "[('vm', 1)]\n");
			let_quiet();
		}
		CHECK_SHOW(i,
			   ask_as(site, rows[i].machine, rows[i].run, &r, &e) ==
					   0 &&
				   r.outcome == rows[i].want,
			   "%d: %s%s", r.outcome, e.text,
			   r.reason ? r.reason : "");
	}
	close_site();
}

/* A CMDB that vanished while the server was down is no profile without one. */
static void
test_vanished(void)
{
	AUTO_CLEAR(site_reply) r = { 0 };
	AUTO_FREE char *path = NULL;
	struct err e = { 0 };

	open_folder("[('vm', '*')]\n");
	folder_put(&folder, "vm.cmdb", "[{'ip': '1'}, {'ip': '2'}]\n");
	path = base_printf("%s/vm.cmdb", folder.dir);
	open_site();
	site_free(STEAL(site));
	CHECK(0, unlink(path) == 0);
	open_site();
	CHECK_SHOW(0,
		   ask_as(site, 1, 1, &r, &e) == 0 &&
			   r.outcome == SITE_ASSIGNED &&
			   strstr(buf_text(&r.script), "[\"ip\"] = \"1\""),
		   "%d %s", r.outcome, r.reason ? r.reason : e.text);
	close_site();
}

/* A disk that takes no more: files of ours may not grow. */
static void
fill_disk(bool full)
{
	struct rlimit r;

	signal(SIGXFSZ, SIG_IGN);
	CHECK(0, getrlimit(RLIMIT_FSIZE, &r) == 0);
	r.rlim_cur = full ? 4096 : r.rlim_max;
	CHECK(0, setrlimit(RLIMIT_FSIZE, &r) == 0);
}

/* What cannot be stored is not answered, and nothing of it is left. */
static void
test_full(void)
{
	const struct timespec moment = { .tv_nsec = 100 * 1000 * 1000 };
	AUTO_CLEAR(site_reply) r = { 0 }, again = { 0 };
	AUTO_CLEAR(site_reply) other = { 0 }, late = { 0 };
	struct err e = { 0 };
	int64_t next;

	open_folder("[('vm', 1)]\n");
	folder_put(&folder, "vm.cmdb", "[{'ip': '1'}]\n");
	open_site();
	fill_disk(true);
	CHECK_SHOW(0,
		   ask_as(site, 1, 1, &r, &e) < 0 && e.kind == ERR_SYS &&
			   strstr(e.text, "edeploy.db"),
		   "%s", e.text);
	fill_disk(false);
	CHECK(1, ask_as(site, 2, 2, &again, &e) == 0 &&
			 again.outcome == SITE_ASSIGNED);
	fill_disk(true);
	CHECK(2, tell(2, again.token, "[{\"n\": 1, \"kind\": \"done\"}]", &next,
		      &e) < 0 &&
			 e.kind == ERR_SYS);
	fill_disk(false);
	CHECK(3, tell(2, again.token, "[{\"n\": 1, \"kind\": \"done\"}]", &next,
		      &e) == 0 &&
			 next == 2);
	CHECK(4, ask_as(site, 1, 3, &other, &e) == 0 &&
			 other.outcome == SITE_WAITS);
	fill_disk(true);
	folder_put(&folder, "state", "[('vm', 2)]\n");
	folder_put(&folder, "vm.cmdb", "[{'ip': '1'}, {'ip': '2'}]\n");
	let_quiet();
	CHECK(5, ask_as(site, 1, 3, &late, &e) < 0);
	fill_disk(false);
	for (unsigned i = 0; i < 100 && late.script.len == 0; i++) {
		site_reply_clear(&late);
		CHECK(6, ask_as(site, 1, 3, &late, &e) == 0);
		nanosleep(&moment, NULL);
	}
	CHECK(6, late.script.len > 0);
	close_site();
}

struct looker {
	struct site *site;
	const atomic_bool *over;
	pthread_t thread;
	int64_t longest_ms;
};

/* Holds the files for reading, as a machine that asks does, nearly always. */
static void *
keep_looking(void *ctx)
{
	const struct timespec moment = { .tv_nsec = 5 * 1000 * 1000 };
	struct looker *l = ctx;

	while (!atomic_load(l->over)) {
		int64_t before = clock_boot_ms(), took;

		site_look(l->site);
		took = clock_boot_ms() - before;
		if (took > l->longest_ms)
			l->longest_ms = took;
		nanosleep(&moment, NULL);
		site_let_go(l->site);
	}
	return NULL;
}

static bool
is_written(const char *path, const char *mark)
{
	const struct timespec moment = { .tv_nsec = 100 * 1000 * 1000 };

	for (int i = 0; i < 300; i++) {
		AUTO_FREE char *text = NULL;
		struct err e = { 0 };

		if (file_read(path, 4096, &text, NULL, &e) == 0 &&
		    strstr(text, mark))
			return true;
		nanosleep(&moment, NULL);
	}
	return false;
}

/* Machines that ask without a pause do not keep claims from the file, nor one
 * another. */
static void
test_crowd(void)
{
	const struct timespec apart = { .tv_nsec = 800 * 1000 };
	struct looker crowd[40] = { 0 };
	atomic_bool over = false;

	open_folder("[('vm', '*')]\n");
	folder_put(&folder, "vm.cmdb", "[{'ip': '1'}, {'ip': '2'}]\n");
	open_site();
	for (size_t i = 0; i < ARRAY_LEN(crowd); i++) {
		crowd[i] = (struct looker){ .site = site, .over = &over };
		CHECK(i, pthread_create(&crowd[i].thread, NULL, keep_looking,
					&crowd[i]) == 0);
		nanosleep(&apart, NULL);
	}
	for (unsigned n = 1; n <= 2; n++) {
		AUTO_FREE char *path = base_printf("%s/vm.cmdb", folder.dir);
		AUTO_FREE char *mark = base_printf("# %u@1", n);
		AUTO_CLEAR(site_reply) r = { 0 };
		struct err e = { 0 };

		CHECK(n, ask_as(site, n, n, &r, &e) == 0);
		CHECK(n, is_written(path, mark));
	}
	atomic_store(&over, true);
	for (size_t i = 0; i < ARRAY_LEN(crowd); i++) {
		pthread_join(crowd[i].thread, NULL);
		CHECK_SHOW(i, crowd[i].longest_ms < 10000, "%lld ms",
			   (long long)crowd[i].longest_ms);
	}
	close_site();
}

int
main(void)
{
	test_crowd();
	test_full();
	test_vanished();
	test_unit_kept();
	test_ended();
	test_feed();
	return test_end();
}
