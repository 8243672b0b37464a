/* What a match was worth. Looked up by walking: a profile binds tens of
 * names, and order is part of the value. */
#include "specs/bindings.h"

const char *
bindings_get(const struct bindings *b, const char *name)
{
	for (size_t i = 0; b && i < b->len; i++)
		if (str_eq(b->at[i].name, name))
			return b->at[i].value;
	return NULL;
}

void
bindings_free(struct bindings *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->len; i++) {
		free(b->at[i].name);
		free(b->at[i].value);
		free(b->at[i].cls);
		free(b->at[i].property);
	}
	free(b->at);
	free(b);
}
