#ifndef RSYNCD_SEAL_H
#define RSYNCD_SEAL_H

#include "lib/sign.h"

#include "rsyncd/pack.h"

/* docs/formats.md "Seal and HEAD". */
#define SEAL_TEXT_MAX 65536
#define HEAD_TEXT_MAX 512
#define SEAL_TABLE_MAX                                                         \
	(1UL << 29)   /* raw bytes of a delta's or marks' table                \
		       */
#define SEAL_NAME 65  /* a role or version, and NUL */
#define SEAL_FILE 320 /* ROLE/VERSION/NAME, and NUL */

struct seal_file {
	char path[SEAL_FILE];
	struct table_place
		place; /* manifest: at 0, the hash that of the file */
	char from_version[SEAL_NAME]; /* delta */
	char from_root[HASH_HEX];     /* delta */
};

struct seal {
	char role[SEAL_NAME], version[SEAL_NAME];
	uint64_t serial, revision;
	char date[21]; /* 2026-11-21T12:00:00Z */
	char root[HASH_HEX];
	uint64_t entries, bytes;
	struct seal_file manifest;
	struct seal_file *full;
	size_t fulls;
	struct seal_file *delta;
	size_t deltas;
	struct seal_file marks; /* path "" when there is none */
	char hash[HASH_HEX];    /* of the body: its file's name */
};

/* Body alone, without key and signature: what may wait for another host.
 * seal_text also sets s->hash. Owned by the caller. */
char *seal_text(struct seal *s);

/* Body + `key` + `sign`. */
char *seal_sign(const char *body, const struct sign_key *key);

/* A signed seal whose signature one of `trust` made; with trust NULL a body
 * alone. ERR_INPUT: malformed; ERR_REFUSED: signature. */
int seal_read(struct seal **out, const char *text, size_t len,
	      const struct sign_trust *trust, const char *name, struct err *e);
/* The same, signed or not, and nothing is checked but its form: for those who
 * own the shelf that it stands on. `key` gets the id it names, "" for none. */
int seal_peek(struct seal **out, const char *text, size_t len,
	      char key[SIGN_ID], const char *name, struct err *e);
void seal_free(struct seal *s);
AUTO_DEFINE(seal)

struct head {
	char role[SEAL_NAME], version[SEAL_NAME];
	uint64_t serial, revision;
	char root[HASH_HEX], seal[HASH_HEX];
};
/* A HEAD without key and signature, and with them. Owned by the caller. */
char *head_text(const struct head *h);
char *head_sign(const struct head *h, const struct sign_key *key);
int head_read(struct head *out, const char *text, size_t len,
	      const struct sign_trust *trust, const char *name, struct err *e);
/* A HEAD's form alone, as seal_peek. */
int head_peek(struct head *out, const char *text, size_t len, char key[SIGN_ID],
	      const char *name, struct err *e);
/* What a HEAD that names this seal says. */
void head_of(struct head *out, const struct seal *s);

#endif
