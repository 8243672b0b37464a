#ifndef CMDB_PARSED_H
#define CMDB_PARSED_H

/* The inside of a read .cmdb file: what reading and writing back share. */
#include "cmdb/entry.h"

#define CMDB_STORE_LINE "# edeploy "
#define CMDB_BOM "\xef\xbb\xbf"

/* Offsets of an entry: its first byte, behind its last, behind its comma. */
struct place {
	size_t start, end, after;
};

struct cmdb {
	char *text;
	size_t len;
	struct value *list; /* NULL when forgotten */
	struct cmdb_entry *entries;
	struct place *places; /* of the entries */
	size_t n;
	char *store_id;
	char *model; /* the text with generate() in it, or NULL */
	char *remark;
};

/* From `at` on to the first byte that is no blank. */
size_t cmdb_skip_blanks(const char *text, size_t at);

/* "# 12@3" at `at`, followed by a blank or the line's end; returns the offset
 * behind it, or 0. */
size_t cmdb_read_mark(const char *text, size_t at, int64_t *id, int64_t *gen);

/* An entry's text with the members that differ from `now` changed, and no
 * other byte: one that stands in the file as (1, 2) and in the store as [1, 2]
 * stays a tuple. `text` holds exactly the entry. */
void cmdb_edit_entry(struct buf *out, const char *text, size_t len,
		     const struct value *now);

#endif
