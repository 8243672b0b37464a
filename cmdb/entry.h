#ifndef CMDB_ENTRY_H
#define CMDB_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/value.h"

/* A .cmdb file: a list of entries (dicts), each at most once given to a
 * machine. docs/formats.md is the contract. */
#define CMDB_MAX_BYTES (64 * 1024 * 1024)
#define CMDB_MAX_ENTRIES 1000000

struct cmdb_entry {
	struct value *fields; /* dict; owned by the cmdb; NULL: forgotten */
	int64_t id;           /* from "# ID@GEN" behind it; 0: none yet */
	int64_t gen;
	bool used; /* has the key `used`, whatever its value */
};

struct cmdb;

/* Read a .cmdb text: a list of entries, or generate({...}), whose entries are
 * as if they stood in its place. ERR_INPUT with path:line:column. An empty text
 * is refused (an empty file never means "no CMDB"); an empty list is a CMDB
 * without entries. */
int cmdb_parse(struct cmdb **out, const char *path, const char *text,
	       size_t len, struct err *e);

size_t cmdb_len(const struct cmdb *c);
const struct cmdb_entry *cmdb_at(const struct cmdb *c, size_t i);

/* The store named on line 1 ("# edeploy STORE-ID"), or NULL. Borrowed. */
const char *cmdb_store_id(const struct cmdb *c);

/* The text as it was read when it has generate(), else NULL: to be kept beside
 * the file before its entries are written into it. Borrowed. */
const char *cmdb_model(const struct cmdb *c);

/* A line for the operator about generate(), or NULL. Borrowed. */
const char *cmdb_remark(const struct cmdb *c);

/* A change to write back: entry `index` of the parsed text now has these
 * fields, id and gen. */
struct cmdb_change {
	size_t index;
	const struct value *fields;
	int64_t id, gen;
};

/* The file with these entries changed, each on its place and followed by
 * "# ID@GEN", and line 1 naming the store. Marks of another store are left out;
 * every other byte stays as it was, within those entries, too: only members
 * that differ are written, and what is [1, 2] in the fields and (1, 2) in the
 * file does not differ.
 * `changes` are in order of index. What is returned has no fields, as after
 * cmdb_forget. */
struct cmdb *cmdb_changed(const struct cmdb *c, const char *store_id,
			  const struct cmdb_change *changes, size_t len);

/* Keep the text, ids and where each entry stands: enough for cmdb_changed at a
 * tenth of the memory. The entries' fields become NULL. */
void cmdb_forget(struct cmdb *c);

/* The whole text. Borrowed. */
const char *cmdb_text(const struct cmdb *c, size_t *len);

void cmdb_free(struct cmdb *c);
AUTO_DEFINE(cmdb)

/* ---- choosing: pure ---- */

/* A bound variable of the machine that asks. */
struct cmdb_var {
	const char *name, *value;
	bool key;      /* $$name */
	bool identity; /* a MAC, serial or UUID: distinguishes machines */
};

struct cmdb_candidate {
	const struct value *fields;
	bool used;
	const char *owner; /* machine id; NULL: none, or none known */
};

enum cmdb_choice {
	CMDB_CHOSEN, /* *at */
	CMDB_FULL,   /* "No more entry in the CMDB" */
	CMDB_NONE,   /* $$ keys, and no entry holds them */
	CMDB_TAKEN   /* the entry that fits is another machine's: *at */
};

/* $$ keys choose if there are any; else the entry that holds all
 * bindings, else the first free one. A used entry goes only to its owner, or,
 * when no owner is known, to the machine whose bindings it holds. A free
 * entry that holds another value for a variable bound from an identity fact
 * is reserved for that machine. `machine` is the asker's id, or NULL in a dry
 * run. */
enum cmdb_choice cmdb_choose(const struct cmdb_candidate *all, size_t len,
			     const struct cmdb_var *vars, size_t vars_len,
			     const char *machine, size_t *at);

/* For people: why this candidate was chosen, or passed over; a phrase that goes
 * behind the entry's name. Owned by the caller. */
char *cmdb_tell(const struct cmdb_candidate *c, const struct cmdb_var *vars,
		size_t vars_len, const char *machine, bool chosen);

/* The entry overwritten by the variables, plus used: 1. Owned by the
 * caller. */
struct value *cmdb_claim(const struct value *fields,
			 const struct cmdb_var *vars, size_t vars_len);

/* What an entry was before it was claimed, after the operator edited what it
 * is since: words of the machine are not part of it, edits are. Owned by the
 * caller. */
struct value *cmdb_origin(const struct value *origin,
			  const struct value *claimed,
			  const struct value *edited);

#endif
