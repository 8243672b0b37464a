#ifndef TESTS_AGENT_FIXTURE_H
#define TESTS_AGENT_FIXTURE_H

/* Folders that look like a machine's /sys and /proc, made from the lines that
 * fixtures/capture prints:
 *   l PATH TARGET   f PATH TEXT   x PATH HEX   t PATH N (and N lines)
 * A line that is none of those ends the test program: a fixture that was
 * understood in part would let tests pass that see nothing. */
#include <ftw.h>
#include <stdio.h>

#include "lib/base.h"
#include "lib/file.h"

static void
fixture_broken(const char *line)
{
	printf("Bail out! fixture line: %s\n", line);
	exit(1);
}

/* A new empty folder; owned by the caller, see fixture_remove. */
static inline char *
fixture_make(void)
{
	char *dir = base_strdup("/tmp/edeploy-fixture.XXXXXX");

	if (!mkdtemp(dir))
		fixture_broken(dir);
	return dir;
}

static inline void
fixture_file(const char *path, const void *bytes, size_t len)
{
	struct err e = { 0 };

	if (file_write(path, bytes, len, 0644, &e) < 0)
		fixture_broken(e.text);
}

static inline void
fixture_link(const char *path, const char *target)
{
	AUTO_FREE char *parent = base_strdup(path);
	struct err e = { 0 };

	*strrchr(parent, '/') = '\0';
	if (dir_make(parent, 0755, &e) < 0 || symlink(target, path) < 0)
		fixture_broken(path);
}

static inline void
fixture_hex(const char *path, const char *hex)
{
	size_t len = strlen(hex) / 2, i;
	AUTO_FREE unsigned char *bytes = base_alloc(len + 1);
	unsigned one;

	for (i = 0; i < len; i++) {
		if (sscanf(hex + i * 2, "%2x", &one) != 1)
			fixture_broken(hex);
		bytes[i] = (unsigned char)one;
	}
	fixture_file(path, bytes, len);
}

/* The end of the N lines that start at `at`. */
static inline char *
fixture_lines(char *at, const char *count)
{
	long n = strtol(count, NULL, 10);

	while (n-- > 0) {
		at = strchr(at, '\n');
		if (!at)
			fixture_broken(count);
		at++;
	}
	return at;
}

static inline void
fixture_add(const char *dir, const char *lines)
{
	AUTO_FREE char *text = base_strdup(lines);
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		AUTO_FREE char *path = NULL;
		char *word = *line ? line + 2 : line;
		char *value = strchr(word, ' ');

		if (!*line)
			continue;
		if (!value || line[1] != ' ' || *word != '/')
			fixture_broken(line);
		*value++ = '\0';
		path = base_printf("%s%s", dir, word);
		if (*line == 'l') {
			fixture_link(path, value);
		} else if (*line == 'f') {
			fixture_file(path, value, strlen(value));
		} else if (*line == 'x') {
			fixture_hex(path, value);
		} else if (*line == 't') {
			char *end = fixture_lines(rest, value);

			fixture_file(path, rest, (size_t)(end - rest));
			rest = end;
		} else {
			fixture_broken(line);
		}
	}
}

/* Add fixtures/NAME.tree; FIXTURES is the folder, from meson. */
static inline void
fixture_load(const char *dir, const char *name)
{
	AUTO_FREE char *path = base_printf("%s/%s.tree", FIXTURES, name);
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	if (file_read(path, 4 << 20, &text, NULL, &e) < 0)
		fixture_broken(e.text);
	fixture_add(dir, text);
}

static inline int
fixture_drop(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

/* Remove the folder and free its name. */
static inline void
fixture_remove(char *dir)
{
	nftw(dir, fixture_drop, 16, FTW_DEPTH | FTW_PHYS);
	free(dir);
}

#endif
