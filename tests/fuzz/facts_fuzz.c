/* Uploads from anywhere: what is accepted obeys the caps and survives being
 * printed and read again. */
#include <assert.h>

#include "specs/facts.h"
#include "specs/hwname.h"
#include "lib/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
check_same(const struct facts *a, const struct facts *b)
{
	assert(facts_len(a) == facts_len(b));
	for (size_t i = 0; i < facts_len(a); i++)
		for (int w = 0; w < FACT_WORDS; w++)
			assert(strcmp(facts_at(a, i)->word[w],
				      facts_at(b, i)->word[w]) == 0);
}

static bool
is_ascii(const struct value *v)
{
	for (size_t i = 0; i < v->str.len; i++)
		if ((unsigned char)v->str.at[i] >= 0x80)
			return false;
	return true;
}

/* Plain uploads are not read by jansson: it must read the same. */
static void
check_reader(const struct facts *f, const char *text, size_t len)
{
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	struct err e = { 0 };

	assert(json_parse(&v, text, len, &e) == 0 && v->kind == VALUE_LIST);
	assert(v->list.len == facts_len(f));
	for (size_t i = 0; i < v->list.len; i++)
		for (int w = 0; w < FACT_WORDS; w++) {
			const struct value *word = v->list.at[i]->list.at[w];

			assert(word->kind != VALUE_STR || !is_ascii(word) ||
			       strcmp(word->str.at, facts_at(f, i)->word[w]) ==
				       0);
		}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(facts) f = NULL;
	AUTO(facts) again = NULL;
	AUTO_CLEAR(buf) json = { 0 };
	AUTO_FREE char *name = NULL;
	struct err e = { 0 };

	if (facts_from_json(&f, (const char *)bytes, len, &e) < 0) {
		assert(e.kind == ERR_INPUT && *e.text);
		return 0;
	}
	assert(facts_len(f) <= FACTS_MAX);
	check_reader(f, (const char *)bytes, len);
	facts_to_json(f, &json);
	if (json.len <= FACTS_MAX_BYTES) {
		assert(facts_from_json(&again, json.at, json.len, &e) == 0);
		check_same(f, again);
	}
	name = hw_name(f);
	assert(strlen(name) <= HWNAME_MAX && *name && *name != '.' &&
	       !strchr(name, '/'));
	return 0;
}
