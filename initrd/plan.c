/* Kernel words and lists of names: what of pid 1 can be tested without
 * booting. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "initrd/plan.h"

bool
plan_is_serial(const char *console)
{
	/* tty1 is a screen; ttyS0, ttyAMA0, hvc0 and the like are lines */
	return strncmp(console, "tty", 3) != 0 ||
	       !isdigit((unsigned char)console[3]);
}

static bool
is_name(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]))
			return false;
	return len > 0 && len < CONSOLE_NAME;
}

/* The last place of equal names counts, as in the kernel. */
static void
add_console(struct plan *p, const char *text, size_t len)
{
	char name[CONSOLE_NAME] = { 0 };
	size_t i;

	if (!is_name(text, len))
		return;
	memcpy(name, text, len);
	if (strcmp(name, "tty0") == 0 || strcmp(name, "tty") == 0)
		strcpy(name, "tty1");
	for (i = 0; i < p->consoles_len; i++)
		if (strcmp(p->consoles[i], name) == 0) {
			p->consoles_len--;
			memmove(p->consoles[i], p->consoles[i + 1],
				(p->consoles_len - i) * CONSOLE_NAME);
			break;
		}
	if (p->consoles_len < CONSOLES_MAX)
		memcpy(p->consoles[p->consoles_len++], name, CONSOLE_NAME);
}

static bool
is_word(const char *word, size_t len, const char *wanted)
{
	return len == strlen(wanted) && memcmp(word, wanted, len) == 0;
}

static void
take_word(struct plan *p, const char *word, size_t len)
{
	static const char console[] = "console=";

	if (len >= sizeof(console) - 1 &&
	    memcmp(word, console, sizeof(console) - 1) == 0) {
		word += sizeof(console) - 1;
		add_console(p, word, strcspn(word, ", \t\n"));
	} else if (is_word(word, len, "DEBUG=1")) {
		p->debug = true;
	} else if (is_word(word, len, "DEBUG=0")) {
		p->debug = false;
	} else if (is_word(word, len, "ONFAILURE=reboot")) {
		p->onfailure = LAST_REBOOT;
	} else if (is_word(word, len, "ONFAILURE=console")) {
		p->onfailure = LAST_CONSOLE;
	} else if (is_word(word, len, "ONFAILURE=halt")) {
		p->onfailure = LAST_HALT;
	}
}

void
plan_read(struct plan *out, const char *cmdline)
{
	*out = (struct plan){ .onfailure = LAST_HALT };
	while (*cmdline) {
		size_t len = strcspn(cmdline, " \t\n");

		take_word(out, cmdline, len);
		cmdline += len;
		cmdline += strspn(cmdline, " \t\n");
	}
	if (out->debug)
		out->onfailure = LAST_CONSOLE;
	if (out->consoles_len == 0)
		add_console(out, "tty1", 4);
}

/* ---- names ---- */

static size_t
place_of(const struct names *n, const char *name, bool *there)
{
	size_t low = 0, high = n->len;

	*there = false;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = strcmp(n->at[mid], name);

		if (c == 0) {
			*there = true;
			return mid;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool
names_add(struct names *n, const char *name)
{
	bool there;
	size_t at = place_of(n, name, &there);
	char *copy;

	if (there || n->len >= NAMES_MAX)
		return false;
	if (n->len == n->room) {
		size_t room = n->room ? n->room * 2 : 64;
		char **more = realloc(n->at, room * sizeof(*more));

		if (!more)
			return false;
		n->at = more;
		n->room = room;
	}
	copy = strdup(name);
	if (!copy)
		return false;
	memmove(n->at + at + 1, n->at + at, (n->len - at) * sizeof(*n->at));
	n->at[at] = copy;
	n->len++;
	return true;
}

void
names_drop(struct names *n)
{
	while (n->len)
		free(n->at[--n->len]);
	free(n->at);
	*n = (struct names){ 0 };
}
