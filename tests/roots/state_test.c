/* boot.cfg: its text, its life, and the game that init and GRUB play. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/state.h"

#include "tests/test.h"

#define HEADER "# edeploy: written by edeploy alone, read by GRUB\n"
#define STEADY                                                                 \
	HEADER "set ed_gen=1\nset ed_good=A\nset ed_prev=\nset ed_try=\n"      \
	       "set ed_left=0\nset ed_again=0\n"

static const struct {
	const char *what, *text, *want; /* NULL: taken, and written the same */
} texts[] = {
	{ "steady", STEADY, NULL },
	{ "trial",
	  HEADER "set ed_gen=18446744073709551614\nset ed_good=A\n"
		 "set ed_prev=Z\nset ed_try=B-1.2_3\nset ed_left=2\n"
		 "set ed_again=1\n",
	  NULL },
	{ "empty", "", "line 1" },
	{ "no header", "set ed_gen=1\n", "line 1" },
	{ "cut", HEADER "set ed_gen=1\nset ed_good=A", "line 3" },
	{ "cut between", HEADER "set ed_gen=1\n", "line 3" },
	{ "number", HEADER "set ed_gen=x\n", "line 2" },
	{ "leading zero",
	  HEADER "set ed_gen=01\nset ed_good=A\nset ed_prev=\nset ed_try=\n"
		 "set ed_left=0\nset ed_again=0\n",
	  "line 2" },
	{ "largest generation", HEADER "set ed_gen=18446744073709551615\n",
	  "line 2" },
	{ "no good", HEADER "set ed_gen=1\nset ed_good=\n", "line 3" },
	{ "path", HEADER "set ed_gen=1\nset ed_good=../A\n", "line 3" },
	{ "GRUB's language", HEADER "set ed_gen=1\nset ed_good=A;reboot\n",
	  "line 3" },
	{ "many tries",
	  HEADER "set ed_gen=1\nset ed_good=A\nset ed_prev=\nset ed_try=B\n"
		 "set ed_left=100\nset ed_again=0\n",
	  "line 6" },
	{ "starts of nothing",
	  HEADER "set ed_gen=1\nset ed_good=A\nset ed_prev=\nset ed_try=\n"
		 "set ed_left=1\nset ed_again=0\n",
	  "on trial" },
	{ "more", STEADY "reboot\n", "line 8" },
	{ "order",
	  HEADER "set ed_good=A\nset ed_gen=1\nset ed_prev=\nset ed_try=\n"
		 "set ed_left=0\nset ed_again=0\n",
	  "line 2" },
};

static void
test_texts(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		struct err e = { 0 };
		struct state s = { 0 };
		int bad = state_parse(&s, texts[i].text, "boot.cfg", &e);

		CHECK_SHOW(i, (bad == 0) == !texts[i].want, "%s: %s",
			   texts[i].what, e.text);
		if (texts[i].want)
			CHECK_SHOW(i, strstr(e.text, texts[i].want), "%s",
				   e.text);
		if (!bad) {
			AUTO_FREE char *again = state_text(&s);

			CHECK(i, str_eq(again, texts[i].text));
		}
	}
}

/* What init does with a boot.cfg of generation 7 and GRUB's words. */
static const struct {
	const char *what, *trial;
	unsigned left;
	bool again;
	struct state_words w;
	enum state_step step;
	const char *then_trial;
	unsigned then_left;
} boots[] = {
	{ "the good one", "", 0, false, { "A", 7, "" }, STATE_ENTER, "", 0 },
	{ "a trial", "B", 2, false, { "B", 7, "" }, STATE_COUNT, "B", 1 },
	{ "its last start",
	  "B",
	  1,
	  false,
	  { "B", 7, "" },
	  STATE_COUNT,
	  "B",
	  0 },
	{ "a start too many",
	  "B",
	  0,
	  false,
	  { "B", 7, "" },
	  STATE_GIVE_UP,
	  "",
	  0 },
	{ "kernel missing",
	  "B",
	  2,
	  false,
	  { "A", 7, "load" },
	  STATE_FELL,
	  "",
	  0 },
	{ "init never ran",
	  "B",
	  2,
	  false,
	  { "A", 7, "grub" },
	  STATE_FELL,
	  "",
	  0 },
	{ "starts used up",
	  "B",
	  0,
	  false,
	  { "A", 7, "count" },
	  STATE_FELL,
	  "",
	  0 },
	{ "chosen by hand",
	  "B",
	  2,
	  false,
	  { "A", 0, "" },
	  STATE_ENTER,
	  "B",
	  2 },
	{ "a third by hand",
	  "B",
	  2,
	  false,
	  { "C", 0, "" },
	  STATE_ENTER,
	  "B",
	  2 },
	{ "fell, of an older boot.cfg",
	  "B",
	  2,
	  false,
	  { "A", 6, "grub" },
	  STATE_STALE,
	  "B",
	  2 },
	{ "trial of an older boot.cfg",
	  "",
	  0,
	  false,
	  { "B", 6, "" },
	  STATE_STALE,
	  "",
	  0 },
	{ "older again",
	  "B",
	  2,
	  true,
	  { "A", 6, "grub" },
	  STATE_ENTER,
	  "B",
	  2 },
	{ "a newer one than ours",
	  "B",
	  2,
	  false,
	  { "A", 8, "" },
	  STATE_STALE,
	  "B",
	  2 },
	{ "fell without a trial",
	  "",
	  0,
	  false,
	  { "A", 7, "grub" },
	  STATE_ENTER,
	  "",
	  0 },
};

static void
test_boots(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(boots); i++) {
		struct state s = { .gen = 7,
				   .good = "A",
				   .left = boots[i].left,
				   .again = boots[i].again };
		enum state_step step;

		snprintf(s.trial, sizeof(s.trial), "%s", boots[i].trial);
		step = state_boot(&s, &boots[i].w);
		CHECK_SHOW(i, step == boots[i].step, "%s", boots[i].what);
		CHECK(i, str_eq(s.trial, boots[i].then_trial));
		CHECK(i, s.left == boots[i].then_left);
		CHECK(i, str_eq(s.good, "A"));
		CHECK(i, s.gen == (step == STATE_ENTER ? 7 : 8));
		CHECK(i, s.again == (step == STATE_STALE || boots[i].again));
	}
}

static void
test_life(void)
{
	struct err e = { 0 };
	struct state s;

	state_first(&s, "A");
	CHECK(0, state_arm(&s, "A", 2, &e) < 0 && e.kind == ERR_REFUSED);
	CHECK(1, state_prove(&s, "A", &e) < 0);
	CHECK(2, state_arm(&s, "B", 2, &e) == 0 && s.gen == 2);
	CHECK(3, state_arm(&s, "C", 2, &e) < 0 && strstr(e.text, "B is on"));
	CHECK(4, state_arm(&s, "B", 2, &e) == 0 && s.gen == 3);
	CHECK(5, state_prove(&s, "A", &e) < 0);
	CHECK(6, state_prove(&s, "B", &e) == 0 && str_eq(s.good, "B") &&
			 str_eq(s.prev, "A") && !*s.trial && s.gen == 4);
	CHECK(7, state_arm(&s, "A", 2, &e) == 0 && str_eq(s.trial, "A"));
	state_fail(&s);
	CHECK(8, !*s.trial && str_eq(s.good, "B") && str_eq(s.prev, "A"));
	CHECK(9, state_arm(&s, "C", 2, &e) == 0);
	state_return(&s);
	CHECK(9, !*s.trial && s.left == 0 && str_eq(s.good, "A") &&
			 str_eq(s.prev, "B") && s.gen == 8);
}

/* ---- a disk whose GRUB sees late what Linux wrote ---- */

struct grub {
	struct state view;
	uint64_t tried;
};

/* What roots/grub.c does, in C. `loads`: B's kernel can be loaded. */
static struct state_words
grub_choose(struct grub *g, bool loads)
{
	struct state_words w = { .gen = g->view.gen };
	const char *why = "";

	if (*g->view.trial && g->view.left) {
		if (g->tried == g->view.gen) {
			why = "grub";
		} else {
			g->tried = g->view.gen;
			if (loads) {
				memcpy(w.root, g->view.trial, sizeof(w.root));
				return w;
			}
			why = "load";
		}
	} else if (*g->view.trial) {
		why = "count";
	}
	memcpy(w.root, g->view.good, sizeof(w.root));
	snprintf(w.fell, sizeof(w.fell), "%s", why);
	return w;
}

/* One way a machine may go: B loads or not, its init comes up or not, it is
 * found healthy or not, boot.cfg reaches GRUB's eyes at once or a boot late.
 * Whatever happens the machine comes to rest within a few boots, on B only
 * if B is well, else on A; and B was never started more often than allowed. */
static void
play(size_t row, bool loads, bool inits, bool healthy, bool late)
{
	struct err e = { 0 };
	struct grub g = { 0 };
	struct state s;
	unsigned boots_done, started = 0;
	bool rest = false;

	state_first(&s, "A");
	g.view = s;
	state_arm(&s, "B", 2, &e);
	if (!late)
		g.view = s;
	for (boots_done = 0; boots_done < 8 && !rest; boots_done++) {
		struct state_words w = grub_choose(&g, loads);
		enum state_step step;

		if (str_eq(w.root, "B")) {
			started++;
			if (!inits)
				continue; /* panic: nothing is written */
		}
		step = state_boot(&s, &w);
		g.view = s; /* each write of init is flushed */
		if (step == STATE_STALE || step == STATE_GIVE_UP)
			continue;
		if (str_eq(w.root, "B") && healthy)
			state_prove(&s, "B", &e);
		rest = str_eq(w.root, s.good) && !*s.trial;
		g.view = s;
	}
	CHECK(row, rest);
	CHECK(row, str_eq(s.good, loads && inits && healthy ? "B" : "A"));
	CHECK_SHOW(row, started <= 2, "%u", started);
}

/* ---- on a disk ---- */

/* GRUB is not known to read every file system on which a test may run. */
static bool
is_written(const struct state *s, const char *dir)
{
	struct err e = { 0 };

	return state_write(s, dir, &e) == 0 || e.kind == ERR_REFUSED;
}

/* boot.cfg is damaged, and there is no trial any more; whatever GRUB noted, it
 * was of another generation. */
static void
test_mend(const char *dir, const char *path)
{
	struct state s = { .gen = 7, .good = "A", .prev = "P", .trial = "B" };
	struct state read = { 0 };
	struct err e = { 0 };

	s.left = 2;
	CHECK(0, is_written(&s, dir));
	file_write(path, "\1\2\3", 3, 0644, &e);
	CHECK(1, state_read(&read, dir, &e) < 0);
	CHECK(2, state_mend(&read, dir, &e) == 0 || e.kind == ERR_REFUSED);
	CHECK(3, state_read(&read, dir, &e) == 0 && read.gen == 9 &&
			 str_eq(read.good, "A") && str_eq(read.prev, "P") &&
			 !*read.trial && read.left == 0);
	/* gone, and again */
	unlink(path);
	state_mend(&read, dir, &e);
	CHECK(4, state_read(&read, dir, &e) == 0 && read.gen == 11);
}

static void
test_disk(void)
{
	char dir[] = "/tmp/edeploy-state-XXXXXX";
	char name[STATE_VERSION];
	AUTO_FREE char *path = NULL;
	struct state s, read = { 0 };
	struct stat first, then;
	struct err e = { 0 };

	if (!mkdtemp(dir))
		exit(1);
	path = base_printf("%s/boot.cfg", dir);
	state_first(&s, "A");
	CHECK(0, is_written(&s, dir) && stat(path, &first) == 0);
	/* the longest text there can be, over it: the same sector */
	memset(name, 'v', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	s = (struct state){ .gen = UINT64_MAX - 1, .left = 99, .again = true };
	memcpy(s.good, name, sizeof(name));
	memcpy(s.prev, name, sizeof(name));
	memcpy(s.trial, name, sizeof(name));
	CHECK(1, is_written(&s, dir) && stat(path, &then) == 0);
	CHECK(2, first.st_ino == then.st_ino && then.st_size == 512);
	CHECK_SHOW(3,
		   state_read(&read, dir, &e) == 0 && read.gen == s.gen &&
			   str_eq(read.trial, name),
		   "%s", e.text);
	/* what an editor left is replaced */
	file_write(path, STEADY, strlen(STEADY), 0644, &e);
	CHECK(4, state_read(&read, dir, &e) == 0 && str_eq(read.good, "A"));
	CHECK(5, is_written(&s, dir) && stat(path, &then) == 0 &&
			 then.st_size == 512);
	/* only what fills is dropped */
	file_append(path, "#\n", 2, 0644, &e);
	CHECK(6, state_read(&read, dir, &e) < 0 && strstr(e.text, "line 8"));
	test_mend(dir, path);
	dir_remove(dir, &e);
}

int
main(void)
{
	size_t i;

	test_texts();
	test_boots();
	test_life();
	test_disk();
	for (i = 0; i < 16; i++)
		play(i, i & 1, i & 2, i & 4, i & 8);
	return test_end();
}
