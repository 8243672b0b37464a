/* The small texts of a disk with versions: boot.cfg, VERSION.mounts, a role's
 * classes. What is taken is what would be written. */
#include <assert.h>

#include "lib/base.h"

#include "roots/classes.h"
#include "roots/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

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
	classes_default(&classes);
	if (classes_parse(&classes, text, "classes", &e) == 0)
		assert(classes_of(&classes, "etc/passwd") <= CLASS_STATE);
	return 0;
}
