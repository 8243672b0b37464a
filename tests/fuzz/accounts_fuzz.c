/* Three files of accounts, apart by a NUL: whatever they hold, the merge ends,
 * and a side that changed nothing changes nothing. */
#include <assert.h>

#include "lib/base.h"

#include "roots/accounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* With a newline behind each line, as the merge writes them. */
static char *
whole_lines(const char *text)
{
	size_t len = strlen(text);

	return base_printf("%s%s", text,
			   len && text[len - 1] != '\n' ? "\n" : "");
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char *const paths[] = { "etc/passwd", "etc/group",
					     "etc/shadow", "etc/gshadow",
					     "etc/subuid" };
	AUTO_FREE char *text = NULL;
	const char *side[3] = { "", "", "" }, *path;
	size_t i;

	if (len == 0)
		return 0;
	path = paths[bytes[0] % ARRAY_LEN(paths)];
	text = base_alloc(len);
	memcpy(text, bytes + 1, len - 1);
	side[0] = text;
	for (i = 1; i < 3; i++) {
		side[i] = side[i - 1] + strlen(side[i - 1]);
		if (side[i] < text + len - 1)
			side[i]++;
	}
	{
		AUTO_FREE char *out = NULL;
		AUTO_FREE char *same = NULL;
		AUTO_FREE char *ours = whole_lines(side[1]);
		struct err e = { 0 };

		(void)!accounts_merge(path, side[0], side[1], side[2], &out,
				      &e);
		/* the version changed nothing */
		if (accounts_merge(path, side[0], side[1], side[0], &same,
				   &e) == 0)
			assert(str_eq(same, ours));
	}
	return 0;
}
