#include "lib/base.h"
#include "lib/json.h"
#include "lib/literal.h"
#include "tests/test.h"

static const struct {
	const char *literal, *json, *lua;
} rows[] = {
	{ "None", "null", "nil" },
	{ "{'b': [{'d': 1, 'c': 2}], 'a': {}}",
	  "{\"b\": [{\"d\": 1, \"c\": 2}], \"a\": {}}",
	  "{[\"b\"] = {{[\"d\"] = 1, [\"c\"] = 2}}, [\"a\"] = {}}" },
	{ "'a\"b\\nc'", "\"a\\\"b\\nc\"", "\"a\\\"b\\010c\"" },
	{ "{'a': [1, 2.0], 'b-c': (True,)}",
	  "{\"a\": [1, 2.0], \"b-c\": [true]}",
	  "{[\"a\"] = {1, 2.0}, [\"b-c\"] = {true}}" },
	{ "'\xc3\xa9'", "\"\xc3\xa9\"", "\"\\195\\169\"" },
	{ "1e999", "null", "math.huge" },
	{ "3600.0", "3600.0", "3600.0" },
	{ "0.1", "0.1", "0.1" },
	{ "1e22", "1e+22", "1e+22" },
};

int
main(void)
{
	const struct literal_opts opts = { .path = "t" };
	struct value *d = value_dict();
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_CLEAR(buf) json = { 0 };
		AUTO_CLEAR(buf) lua = { 0 };
		AUTO_CLEAR(buf) again = { 0 };
		struct value *v = NULL, *w = NULL, *copy;
		struct err e = { 0 };

		CHECK(i,
		      literal_parse(&v, rows[i].literal,
				    strlen(rows[i].literal), &opts, &e) == 0);
		value_json(v, 0, &json);
		value_lua(v, &lua);
		value_literal(v, &again);
		CHECK_SHOW(i, str_eq(json.at, rows[i].json), "%s", json.at);
		CHECK_SHOW(i, str_eq(lua.at, rows[i].lua), "%s", lua.at);
		CHECK(i,
		      literal_parse(&w, again.at, again.len, &opts, &e) == 0 &&
			      value_eq(v, w));
		copy = value_copy(v);
		CHECK(i, value_eq(copy, v));
		value_sort(copy);
		CHECK(i, value_eq(copy, v));
		value_free(copy);
		value_free(v);
		value_free(w);
	}
	for (i = 0; i < 9; i++) {
		char key[2] = { (char)('a' + i), 0 };

		value_set_int(d, key, (int64_t)i);
	}
	value_unset(d, "c");
	value_set_int(d, "z", 1);
	value_set_int(d, "y", 2);
	CHECK(0, d->dict.len == 10 && value_get_int(d, "i", -1) == 8);
	CHECK(1, value_get(d, "c") == NULL);
	value_free(d);
	return test_end();
}
