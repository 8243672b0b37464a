#ifndef LIB_VALUE_H
#define LIB_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

/* One tree for what literals, JSON and Lua tables can say. */
enum value_kind {
	VALUE_NONE,
	VALUE_BOOL,
	VALUE_INT,
	VALUE_REAL,
	VALUE_STR,
	VALUE_LIST,
	VALUE_TUPLE,
	VALUE_DICT,
	VALUE_CALL /* name(argument), only where literal_opts allow it */
};

struct value {
	enum value_kind kind;
	union {
		bool boolean;
		int64_t integer;
		double real;
		struct {
			char *at;
			size_t len; /* may hold NUL bytes */
		} str;
		struct {
			struct value **at;
			size_t len;
		} list; /* list and tuple */
		struct {
			struct member *at;
			size_t len;
		} dict; /* in the order of the text */
		struct {
			char *name;
			struct value *arg;
		} call;
	};
	/* Where it stood in its text: bytes [start, end), line and column from
	 * 1. All zero when it was not read from a text. */
	size_t start, end;
	unsigned line, column;
};

struct member {
	char *key; /* NUL-terminated */
	struct value *value;
	size_t start; /* first byte of the key */
};

struct value *value_none(void);
struct value *value_bool(bool b);
struct value *value_int(int64_t i);
struct value *value_real(double r);
struct value *value_str(const char *text);
struct value *value_strn(const char *text, size_t len);
struct value *value_list(void);
struct value *value_tuple(void);
struct value *value_dict(void);
struct value *value_copy(const struct value *v);

/* Append; takes `item`. */
void value_push(struct value *list, struct value *item);

/* Set a member; takes `item`; an older member of that name is replaced in
 * its place. */
void value_set(struct value *dict, const char *key, struct value *item);
void value_set_str(struct value *dict, const char *key, const char *text);
void value_set_int(struct value *dict, const char *key, int64_t i);
void value_unset(struct value *dict, const char *key);

/* The members of all dicts in it into the order of their keys. */
void value_sort(struct value *v);

/* Member of a dict, NULL when absent or `v` is no dict. Borrowed. */
struct value *value_get(const struct value *v, const char *key);

/* Text of a member, NULL when absent or no text. Borrowed. */
const char *value_get_str(const struct value *v, const char *key);
int64_t value_get_int(const struct value *v, const char *key, int64_t absent);

/* Same kind and content: 2 is not '2', 1 is not 1.0, a list is not a tuple,
 * the order of a dict does not matter. */
bool value_eq(const struct value *a, const struct value *b);

/* As JSON: None is null, a tuple is a list. `indent` 0 is one line. */
void value_json(const struct value *v, int indent, struct buf *out);

/* As a literal on one line, in the first eDeploy's spelling ('text', None,
 * True, (1,)). literal_parse reads it back equal. */
void value_literal(const struct value *v, struct buf *out);

/* As Lua: dicts and lists become tables, None becomes nil, text is quoted so
 * that any byte survives; dict keys as ["key"]. One line. */
void value_lua(const struct value *v, struct buf *out);

/* For a person: text without quotes, everything else as a literal. */
void value_plain(const struct value *v, struct buf *out);

void value_free(struct value *v); /* the tree; NULL does nothing */

static inline void
value_freep(struct value **v)
{
	value_free(*v);
}

#endif
