/* boot.cfg as text, and its life. Whoever changes the rules here reads
 * roots/grub.c too: GRUB plays the other half of this game. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/num.h"

#include "roots/flush.h"
#include "roots/state.h"

#define HEADER "# edeploy: written by edeploy alone, read by GRUB\n"

/* ---- text ---- */

char *
state_text(const struct state *s)
{
	return base_printf(HEADER "set ed_gen=%llu\nset ed_good=%s\n"
				  "set ed_prev=%s\nset ed_try=%s\n"
				  "set ed_left=%u\nset ed_again=%u\n",
			   (unsigned long long)s->gen, s->good, s->prev,
			   s->trial, s->left, s->again ? 1U : 0U);
}

static int
take_number(const char *value, uint64_t max, uint64_t *out)
{
	struct err ignored;

	if (value[0] == '0' && value[1])
		return -1; /* there is one spelling */
	return num_u64(value, 0, max, out, "", &ignored);
}

static int
take_name(const char *value, bool may_be_none, char out[STATE_VERSION])
{
	if (!*value ? !may_be_none : !name_is_safe(value))
		return -1;
	snprintf(out, STATE_VERSION, "%s", value);
	return 0;
}

static int
take(struct state *s, size_t line, const char *value)
{
	uint64_t n = 0;
	int bad;

	switch (line) {
	case 0:
		return take_number(value, UINT64_MAX - 1, &s->gen);
	case 1:
		return take_name(value, false, s->good);
	case 2:
		return take_name(value, true, s->prev);
	case 3:
		return take_name(value, true, s->trial);
	case 4:
		bad = take_number(value, 99, &n);
		s->left = (unsigned)n;
		return bad;
	default:
		bad = take_number(value, 1, &n);
		s->again = n == 1;
		return bad;
	}
}

int
state_parse(struct state *out, const char *text, const char *name,
	    struct err *e)
{
	static const char *const keys[] = { "set ed_gen=",  "set ed_good=",
					    "set ed_prev=", "set ed_try=",
					    "set ed_left=", "set ed_again=" };
	AUTO_FREE char *copy = base_strdup(text);
	struct state s = { 0 };
	char *at = copy, *line;
	size_t i;

	if (!str_starts(at, HEADER))
		return err_set(e, ERR_INPUT,
			       "%s, line 1: not written by edeploy", name);
	at += strlen(HEADER);
	for (i = 0; i < ARRAY_LEN(keys); i++) {
		line = at && strchr(at, '\n') ? strsep(&at, "\n") : NULL;
		if (!line || !str_starts(line, keys[i]) ||
		    take(&s, i, line + strlen(keys[i])) < 0)
			return err_set(e, ERR_INPUT,
				       "%s, line %zu: not \"%s...\" as edeploy "
				       "writes it",
				       name, i + 2, keys[i]);
	}
	if (!at || *at)
		return err_set(e, ERR_INPUT,
			       "%s, line %zu: nothing more is "
			       "expected",
			       name, i + 2);
	if (!*s.trial && s.left)
		return err_set(e, ERR_INPUT,
			       "%s: starts are left and nothing "
			       "is on trial",
			       name);
	*out = s;
	return 0;
}

/* ---- its life ---- */

static void
next(struct state *s)
{
	s->gen++;
	s->again = false;
}

void
state_first(struct state *s, const char *good)
{
	*s = (struct state){ .gen = 1 };
	snprintf(s->good, sizeof(s->good), "%s", good);
}

int
state_arm(struct state *s, const char *version, unsigned tries, struct err *e)
{
	if (str_eq(version, s->good))
		return err_set(e, ERR_REFUSED, "%s is the good version already",
			       version);
	if (*s->trial && !str_eq(version, s->trial))
		return err_set(e, ERR_REFUSED,
			       "%s is on trial: prove it or take it back first "
			       "(edeploy status)",
			       s->trial);
	snprintf(s->trial, sizeof(s->trial), "%s", version);
	s->left = tries;
	next(s);
	return 0;
}

int
state_prove(struct state *s, const char *running, struct err *e)
{
	if (!*s->trial || !str_eq(running, s->trial))
		return err_set(e, ERR_REFUSED, "%s is not on trial", running);
	memcpy(s->prev, s->good, sizeof(s->prev));
	memcpy(s->good, s->trial, sizeof(s->good));
	state_fail(s);
	return 0;
}

void
state_fail(struct state *s)
{
	*s->trial = '\0';
	s->left = 0;
	next(s);
}

void
state_return(struct state *s)
{
	char was[STATE_VERSION];

	assert(*s->prev);
	memcpy(was, s->good, sizeof(was));
	memcpy(s->good, s->prev, sizeof(s->good));
	memcpy(s->prev, was, sizeof(s->prev));
	state_fail(s);
}

static void
take_word(struct state_words *w, const char *word)
{
	struct err ignored;
	const char *value = strchr(word, '=');
	uint64_t n;

	if (!value)
		return;
	value++;
	if (str_starts(word, "edeploy.root=") && name_is_safe(value))
		snprintf(w->root, sizeof(w->root), "%s", value);
	else if (str_starts(word, "edeploy.gen="))
		num_u64(value, 0, UINT64_MAX - 1, &w->gen, "", &ignored);
	else if (str_starts(word, "edeploy.watchdog=") &&
		 num_u64(value, 0, 86400, &n, "", &ignored) == 0)
		w->watchdog_s = (unsigned)n;
	else if (str_starts(word, "edeploy.fell=") && strlen(value) < 8)
		snprintf(w->fell, sizeof(w->fell), "%s", value);
}

void
state_words_parse(struct state_words *w, char *line)
{
	const char *word;

	while ((word = strsep(&line, " \n")))
		take_word(w, word);
}

/* GRUB read another boot.cfg than this one. Writing it again, flushed, and
 * booting once more mends that; when it did not, what GRUB chose is entered
 * and judged by nobody: a machine that runs is better than one that turns in
 * circles. */
static enum state_step
boot_stale(struct state *s)
{
	if (s->again)
		return STATE_ENTER;
	next(s);
	s->again = true;
	return STATE_STALE;
}

enum state_step
state_boot(struct state *s, const struct state_words *w)
{
	if (w->gen == 0)
		return STATE_ENTER;
	if (w->gen != s->gen)
		return boot_stale(s);
	if (*s->trial && str_eq(w->root, s->trial)) {
		if (s->left == 0) {
			state_fail(s);
			return STATE_GIVE_UP;
		}
		s->left--;
		next(s);
		return STATE_COUNT;
	}
	if (*s->trial && *w->fell) {
		state_fail(s);
		return STATE_FELL;
	}
	return STATE_ENTER;
}

/* ---- on the disk ---- */

/* The text, and a line of '#' that fills the sector. */
static void
fill_sector(const struct state *s, char sector[STATE_SECTOR])
{
	AUTO_FREE char *text = state_text(s);
	size_t len = strlen(text);

	assert(len < STATE_SECTOR);
	memset(sector, '#', STATE_SECTOR);
	memcpy(sector, text, len);
	sector[STATE_SECTOR - 1] = '\n';
}

/* Cut off the line that fills; what else there is too much is refused later. */
static void
drop_filling(char *text)
{
	size_t len = strlen(text), at = len;

	if (len != STATE_SECTOR || text[--at] != '\n')
		return;
	while (at && text[at - 1] == '#')
		at--;
	if (at && text[at - 1] == '\n')
		text[at] = '\0';
}

static int
read_file(struct state *out, const char *dir, const char *name, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/%s", dir, name);
	AUTO_FREE char *text = NULL;

	if (file_read(path, STATE_TEXT_MAX, &text, NULL, e) < 0)
		return -1;
	drop_filling(text);
	return state_parse(out, text, path, e);
}

int
state_read(struct state *out, const char *dir, struct err *e)
{
	return read_file(out, dir, "boot.cfg", e);
}

/* 1: written, 0: there is no such file to be written over. */
static int
write_over(const char *path, const char sector[STATE_SECTOR], struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size != STATE_SECTOR)
		return 0;
	if (pwrite(fd, sector, STATE_SECTOR, 0) != STATE_SECTOR ||
	    fdatasync(fd) < 0)
		return err_sys(e, "writing %s", path);
	return 1;
}

static int
write_file(const struct state *s, const char *dir, const char *name,
	   struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/%s", dir, name);
	char sector[STATE_SECTOR];
	int done;

	fill_sector(s, sector);
	done = write_over(path, sector, e);
	if (done < 0)
		return -1;
	return done ? 0 : file_replace(path, sector, sizeof(sector), 0644, e);
}

int
state_write(const struct state *s, const char *dir, struct err *e)
{
	struct state spare = *s;

	*spare.trial = '\0';
	spare.left = 0;
	if (write_file(s, dir, "boot.cfg", e) < 0 ||
	    write_file(&spare, dir, "boot.good", e) < 0)
		return -1;
	return flush(dir, e);
}

int
state_mend(struct state *out, const char *dir, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/boot.cfg", dir);

	if (read_file(out, dir, "boot.good", e) < 0)
		return -1;
	/* what is lost may have been one further, and GRUB may have noted it */
	out->gen += 2;
	/* a sector that cannot be read cannot be written in part, either */
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, "%s", path);
	return state_write(out, dir, e);
}
