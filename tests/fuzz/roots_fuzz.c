/* The small texts of a disk with versions: boot.cfg, VERSION.mounts and .grub,
 * a role's classes; and what GRUB says on the kernel's command line. What is
 * taken is what would be written. */
#include <assert.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/classes.h"
#include "roots/grub.h"
#include "roots/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
check_grub(const char *text)
{
	AUTO_CLEAR(grub_version) v = { 0 };
	AUTO_CLEAR(buf) again = { 0 };
	struct err e = { 0 };

	/* control characters are written by nobody */
	if (grub_read_version(&v, text, "grub", &e) == 0 &&
	    grub_print_version(v.kernel, v.initrd, v.args, &again, &e) == 0)
		assert(str_eq(text, buf_text(&again)));
}

static void
check_words(const char *text)
{
	AUTO_FREE char *line = base_strdup(text);
	struct state_words w = { 0 };

	state_words_parse(&w, line);
	assert(!*w.root || name_is_safe(w.root));
	assert(w.gen < UINT64_MAX && strlen(w.fell) < sizeof(w.fell));
	assert(w.watchdog_s <= 86400);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO_FREE char *text = base_strndup((const char *)bytes, len);
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_CLEAR(classes) classes = { 0 };
	struct err e = { 0 };
	struct state s;

	if (state_parse(&s, text, "boot.cfg", &e) == 0) {
		AUTO_FREE char *again = state_text(&s);

		assert(str_eq(text, again));
	}
	if (enter_places_parse(&places, text, "mounts", &e) == 0) {
		AUTO_FREE char *again = enter_places_text(&places);

		assert(str_eq(text, again));
	}
	check_grub(text);
	check_words(text);
	classes_default(&classes);
	if (classes_parse(&classes, text, "classes", &e) == 0)
		assert(classes_of(&classes, "etc/passwd") <= CLASS_STATE);
	return 0;
}
