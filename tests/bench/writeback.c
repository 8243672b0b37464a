/* writeback [FOLDER]: what it costs to read a .cmdb file and to write claims
 * back into it, by its entries; the file is in FOLDER (. unless said). */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "cmdb/entry.h"
#include "lib/file.h"
#include "lib/swap.h"

#define STORE "0123456789abcdef"

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static char *
make_text(size_t entries)
{
	struct buf b = { 0 };

	buf_str(&b, "[\n");
	for (size_t i = 0; i < entries; i++)
		buf_printf(&b,
			   " {'hostname': 'host%06zu', 'ip': '10.%zu.%zu.%zu', "
			   "'netmask': '255.0.0.0', 'gateway': '10.0.0.1'}, "
			   "# rack %zu\n",
			   i, i >> 16 & 255, i >> 8 & 255, i & 255, i / 40);
	buf_str(&b, "]\n");
	return buf_take(&b);
}

/* Claims of entries that lie as far apart as they can. */
static struct cmdb_change *
make_claims(const struct cmdb *c, size_t claims)
{
	struct cmdb_change *all = base_array(claims, sizeof(*all));

	for (size_t i = 0; i < claims; i++) {
		size_t at = i * (cmdb_len(c) / claims);
		struct value *v = value_copy(cmdb_at(c, at)->fields);

		value_set_str(v, "mac", "52:54:00:12:34:56");
		value_set_int(v, "used", 1);
		all[i] = (struct cmdb_change){ at, v, (int64_t)at + 1, 1 };
	}
	return all;
}

static void
fail(const struct err *e)
{
	fprintf(stderr, "writeback: %s\n", e->text);
	exit(1);
}

static void
measure(const char *path, size_t entries, size_t claims)
{
	AUTO_FREE char *text = make_text(entries);
	AUTO(cmdb) c = NULL;
	AUTO(cmdb) fresh = NULL;
	struct cmdb_change *changes;
	struct displaced old = DISPLACED_NONE;
	struct stamp was, now;
	struct rusage use;
	struct err e = { 0 };
	double start, parsed, changed, written;
	size_t len;

	if (file_replace(path, text, strlen(text), 0644, &e) < 0 ||
	    stamp_get(&was, path, &e) < 0)
		fail(&e);
	start = now_ms();
	if (cmdb_parse(&c, path, text, strlen(text), &e) < 0)
		fail(&e);
	parsed = now_ms();
	changes = make_claims(c, claims);
	cmdb_forget(c);
	changed = now_ms();
	fresh = cmdb_changed(c, STORE, changes, claims);
	changed = now_ms() - changed;
	written = now_ms();
	cmdb_text(fresh, &len);
	if (file_swap(path, &was, cmdb_text(fresh, &len), len, &now, &old, &e) <
	    0)
		fail(&e);
	written = now_ms() - written;
	displaced_clear(&old);
	getrusage(RUSAGE_SELF, &use);
	printf("%8zu %8zu %8.1f %9.1f %9.1f %9.1f %8.1f\n", entries, claims,
	       (double)len / 1e6, parsed - start, changed, written,
	       (double)use.ru_maxrss / 1024);
	for (size_t i = 0; i < claims; i++)
		value_free((struct value *)(uintptr_t)changes[i].fields);
	free(changes);
}

int
main(int argc, char **argv)
{
	static const size_t rows[][2] = { { 1000, 1 },     { 1000, 300 },
					  { 20000, 1 },    { 20000, 1000 },
					  { 100000, 1 },   { 100000, 1000 },
					  { 100000, 5000 } };
	AUTO_FREE char *path =
		base_printf("%s/writeback.cmdb", argc > 1 ? argv[1] : ".");

	printf(" entries   claims  file MB  parse ms  claims ms  swap ms  "
	       "peak MB\n");
	fflush(stdout);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pid_t pid = fork(); /* for a peak of its own */

		if (pid == 0) {
			measure(path, rows[i][0], rows[i][1]);
			fflush(stdout);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	unlink(path);
	return 0;
}
