/* Memory, text ends, hand-over; and that out of memory ends the process with
 * a word instead of going on with NULL. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "tests/test.h"

static const struct {
	const char *text, *tail;
	bool want;
} ends[] = {
	{ "vm.specs", ".specs", true },
	{ ".specs", ".specs", true },
	{ "specs", ".specs", false },
	{ "", "", true },
	{ "a", "", true },
	{ "", "a", false },
	{ "vm.specs~", ".specs", false },
};

static const struct {
	const char *a, *b;
	bool want;
} equal[] = {
	{ "a", "a", true },   { "a", "b", false }, { "a", "ab", false },
	{ NULL, NULL, true }, { NULL, "", false }, { "", NULL, false },
};

static const struct {
	const char *text, *head;
	bool want;
} starts[] = {
	{ "usb-1", "usb", true },
	{ "us", "usb", false },
	{ "", "", true },
	{ "x", "", true },
};

static const struct {
	const char *path, *dir;
	bool below, within;
} folders[] = {
	{ "var/lib", "var", true, true },
	{ "var/lib/dpkg", "var", true, true },
	{ "var", "var", false, true },
	{ "var", "var/lib", false, false },
	{ "variable/lib", "var", false, false },
	{ "va", "var", false, false },
	{ "/boot", "", true, true },
	{ "boot", "", false, false },
};

static void *
ask_overflow(void)
{
	return base_array(SIZE_MAX / 2, 4);
}

static void *
ask_resize_overflow(void)
{
	return base_resize(NULL, SIZE_MAX / 2, 4);
}

/* What a child says and how it ends when it asks for more than there is. */
static bool
ends_with_a_word(void *(*ask)(void))
{
	const struct rlimit no_core = { 0, 0 };
	char said[64] = "";
	int status = 0, ends_of[2];
	pid_t pid;

	if (pipe(ends_of) < 0 || (pid = fork()) < 0)
		return false;
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(ends_of[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		_exit(ask() ? 3 : 4);
	}
	close(ends_of[1]);
	if (read(ends_of[0], said, sizeof(said) - 1) < 0)
		said[0] = '\0';
	close(ends_of[0]);
	waitpid(pid, &status, 0);
	/* a sanitizer's own allocator ends it itself, with its own words */
	return WIFSIGNALED(status) ? str_eq(said, "out of memory\n")
				   : WEXITSTATUS(status) < 3 && *said;
}

int
main(void)
{
	AUTO_FREE char *zero = base_alloc(0);
	AUTO_FREE char *zeroed = base_alloc(16);
	AUTO_FREE char *none = base_array(0, 8);
	AUTO_FREE char *part = base_strndup("abcdef", 3);
	AUTO_FREE char *words = base_printf("%s-%d", "a", 7);
	AUTO_FREE char *taken = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(ends); i++)
		CHECK(i, str_ends(ends[i].text, ends[i].tail) == ends[i].want);
	for (i = 0; i < ARRAY_LEN(equal); i++)
		CHECK(i, str_eq(equal[i].a, equal[i].b) == equal[i].want);
	for (i = 0; i < ARRAY_LEN(starts); i++)
		CHECK(i, str_starts(starts[i].text, starts[i].head) ==
				 starts[i].want);
	for (i = 0; i < ARRAY_LEN(folders); i++) {
		CHECK(i, path_is_below(folders[i].path, folders[i].dir) ==
				 folders[i].below);
		CHECK(i, path_is_within(folders[i].path, folders[i].dir) ==
				 folders[i].within);
	}
	CHECK(0, zero && none);
	for (i = 0; i < 16; i++)
		CHECK(i, zeroed[i] == 0);
	CHECK(0, str_eq(part, "abc"));
	CHECK(0, str_eq(words, "a-7"));
	taken = STEAL(part);
	CHECK(0, part == NULL && str_eq(taken, "abc"));
	taken = base_resize(taken, 0, 0);
	CHECK(0, taken != NULL);
	CHECK(0, ends_with_a_word(ask_overflow));
	CHECK(1, ends_with_a_word(ask_resize_overflow));
	return test_end();
}
